/// A value that stands for a whole file. Equal values give equal bytes.
package protocol FileFormat {
    func encoded() -> [UInt8]
}
