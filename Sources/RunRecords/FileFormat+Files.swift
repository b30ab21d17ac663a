package import Formats

extension FileFormat {
    /// Puts the file in place whole or not at all.
    package func write(to path: String) throws(FileError) {
        try Files.replace(path, with: encoded())
    }
}

extension Safetensors {
    /// - Throws: ``FileError``, or ``SafetensorsError`` for any deviation from the format and for
    ///   tensors of another type than F32.
    package init(reading path: String) throws {
        try self.init(decoding: Files.read(path), path: path)
    }
}
