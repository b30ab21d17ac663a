import Foundation

/// Where a line stands in its file.
struct LinePlace {
    /// Counted from 1.
    var number: Int
    /// Of its first byte.
    var offset: Int
    /// Whether a line feed ends it.
    var isWhole: Bool
}

extension Disk {
    /// Reads a file piece by piece: a long run's log has a gigabyte.
    ///
    /// - Parameter byteCount: what follows so many bytes is left out.
    func forEachPiece(
        of path: String, upTo byteCount: Int = .max, _ body: ([UInt8]) -> Void
    ) throws(FileError) {
        var offset = 0
        while offset < byteCount {
            let count = min(LogPieces.byteCount, byteCount - offset)
            let piece = try read(path, from: offset, count: count)
            if !piece.isEmpty { body(piece) }
            if piece.count < count { return }
            offset += piece.count
        }
    }

    /// Hands out the lines of a file, each without its line feed.
    ///
    /// - Parameter body: returns whether to continue.
    func forEachLine(
        of path: String, upTo byteCount: Int = .max, _ body: (Span<UInt8>, LinePlace) -> Bool
    ) throws(FileError) {
        var place = LinePlace(number: 1, offset: 0, isWhole: true)
        // The beginning of a line that continues in the next piece.
        var bytes: [UInt8] = []
        while true {
            // A line of any length is read with a bounded number of copies.
            let wanted = min(
                max(LogPieces.byteCount, bytes.count), byteCount - place.offset - bytes.count)
            let piece = try read(path, from: place.offset + bytes.count, count: wanted)
            bytes += piece
            var start = 0
            while let end = bytes.lineFeed(from: start) {
                let goesOn = body(bytes.span.extracting(start..<end), place)
                guard goesOn else { return }
                place.offset += end + 1 - start
                place.number += 1
                start = end + 1
            }
            bytes.removeFirst(start)
            if piece.count < wanted || wanted == 0 { break }
        }
        place.isWhole = false
        if !bytes.isEmpty { _ = body(bytes.span, place) }
    }

    /// The first line with its line feed, where it has one.
    func firstLine(of path: String) throws(FileError) -> [UInt8] {
        var line: [UInt8] = []
        try forEachLine(of: path) { bytes, place in
            line = (0..<bytes.count).map { bytes[$0] }
            if place.isWhole { line.append(UInt8(ascii: "\n")) }
            return false
        }
        return line
    }
}

private enum LogPieces {
    static let byteCount = 1 << 20
}

extension [UInt8] {
    /// The place of the next line feed.
    fileprivate func lineFeed(from start: Int) -> Int? {
        unsafe withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, start < bytes.count else { return nil }
            let found = unsafe memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
            return unsafe found.map { unsafe base.distance(to: UnsafeRawPointer($0)) }
        }
    }
}

extension Span<UInt8> {
    func starts(with bytes: [UInt8]) -> Bool {
        count >= bytes.count && extracting(first: bytes.count).isEqual(to: bytes)
    }

    func ends(with bytes: [UInt8]) -> Bool {
        count >= bytes.count && extracting(last: bytes.count).isEqual(to: bytes)
    }

    private func isEqual(to bytes: [UInt8]) -> Bool {
        unsafe withUnsafeBytes { own in
            unsafe bytes.withUnsafeBytes { other in
                guard let base = own.baseAddress, let otherBase = other.baseAddress else {
                    return true
                }
                return unsafe memcmp(base, otherBase, other.count) == 0
            }
        }
    }

    /// A copy, for whoever takes no span.
    var data: Data { unsafe withUnsafeBytes { unsafe Data($0) } }
}
