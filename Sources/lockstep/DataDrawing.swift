import Datasets
import Foundation

/// Digits drawn with half blocks: a character is one pixel wide and two high.
struct DigitPicture {
    /// Characters that a digit takes in a line, with the gap after it.
    static let width = LabelledImages.side + 2

    /// Pixels from here up are drawn.
    private static let threshold: UInt8 = 96

    private let examples: LabelledImages

    init(_ examples: LabelledImages) { self.examples = examples }

    /// Examples side by side: a line with labels and indices, then the pixels.
    func row(_ indices: Range<Int>) -> String {
        let side = LabelledImages.side
        let titles = indices.map { pad("\(examples[$0].label)  (#\($0))") }.joined()
        let images = indices.map { Array(examples[$0].pixels) }
        let lines = stride(from: 0, to: side, by: 2).map { row in
            images.map { image in
                pad(
                    String(
                        (0..<side).map { column in
                            block(
                                upper: image[row * side + column],
                                lower: image[(row + 1) * side + column])
                        }))
            }.joined()
        }
        return ([titles] + lines).joined(separator: "\n")
    }

    private func block(upper: UInt8, lower: UInt8) -> Character {
        switch (upper >= Self.threshold, lower >= Self.threshold) {
        case (true, true): "█"
        case (true, false): "▀"
        case (false, true): "▄"
        case (false, false): " "
        }
    }

    private func pad(_ text: String) -> String {
        text + String(repeating: " ", count: max(0, Self.width - text.count))
    }
}

/// A bar on standard error, one file after the other on the same line.
struct DownloadBar: Sendable {
    private static let width = 30

    func show(_ progress: MNISTDownload.Progress) {
        let megabytes = String(format: "%.1f MB", Double(progress.byteCount) / 1e6)
        var line = "\(progress.file)  \(megabytes)"
        if let expected = progress.expectedByteCount {
            let filled = min(Self.width, progress.byteCount * Self.width / expected)
            let bar =
                String(repeating: "█", count: filled)
                + String(repeating: "░", count: Self.width - filled)
            line = "\(bar)  \(line)"
        }
        // Back to the line's start, and clear what the last one leaves.
        write("\r\(line)\u{1b}[K")
    }

    func finish() { write("\r\u{1b}[K") }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
