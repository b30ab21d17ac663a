import Formats

/// A line that is not spelled as this program spells its lines. It may still be a good one.
struct UnusualSpelling: Error {}

/// Reads the members of a JSON object in their order, spelled as ``JSONLines`` spells them and not
/// otherwise.
///
/// `JSONDecoder` needs tens of microseconds for a line of a step, and a long run has millions of
/// them.
struct LineCursor {
    private var place = 1
    private var isFirst = true

    init(_ line: Span<UInt8>) throws(UnusualSpelling) {
        guard line.count > 1, line[0] == UInt8(ascii: "{") else { throw UnusualSpelling() }
    }

    // MARK: Members

    /// Steps behind a key and its colon, if it is next.
    mutating func has(_ key: some CodingKey, _ line: Span<UInt8>) -> Bool {
        var next = place
        func take(_ byte: UInt8) -> Bool {
            guard next < line.count, line[next] == byte else { return false }
            next += 1
            return true
        }
        guard isFirst || take(UInt8(ascii: ",")), take(UInt8(ascii: "\"")) else { return false }
        for byte in key.stringValue.utf8 where !take(byte) { return false }
        guard take(UInt8(ascii: "\"")), take(UInt8(ascii: ":")) else { return false }
        place = next
        isFirst = false
        return true
    }

    private mutating func require(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) {
        guard has(key, line) else { throw UnusualSpelling() }
    }

    mutating func integer(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> Int {
        try require(key, line)
        let number = try number(line)
        guard let whole = Int(exactly: number.value), number.isWhole else {
            throw UnusualSpelling()
        }
        return whole
    }

    mutating func double(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> Double {
        try require(key, line)
        return try number(line).value
    }

    /// Behind a key.
    mutating func double(_ line: Span<UInt8>) throws(UnusualSpelling) -> Double {
        try number(line).value
    }

    /// One that may not be finite; see ``Measured``.
    mutating func measured(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> Double {
        try require(key, line)
        return try isNull(line) ? .nan : number(line).value
    }

    mutating func float(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> Float {
        try require(key, line)
        return try float(line)
    }

    mutating func floats(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> [Float] {
        try require(key, line)
        return try floats(line)
    }

    /// Behind a key.
    mutating func floats(_ line: Span<UInt8>) throws(UnusualSpelling) -> [Float] {
        try take(UInt8(ascii: "["), line)
        var values: [Float] = []
        if byte(line) == UInt8(ascii: "]") {
            place += 1
            return values
        }
        while true {
            values.append(try float(line))
            if byte(line) == UInt8(ascii: "]") { break }
            try take(UInt8(ascii: ","), line)
        }
        place += 1
        return values
    }

    mutating func text(
        _ key: some CodingKey, _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> String {
        try require(key, line)
        return try text(line)
    }

    /// Behind a key.
    mutating func text(_ line: Span<UInt8>) throws(UnusualSpelling) -> String {
        try take(UInt8(ascii: "\""), line)
        let start = place
        while let byte = byte(line), byte != UInt8(ascii: "\"") {
            // Escapes are for others, and so is whatever need not be UTF-8.
            guard byte != UInt8(ascii: "\\"), (0x20..<0x80).contains(byte) else {
                throw UnusualSpelling()
            }
            place += 1
        }
        try take(UInt8(ascii: "\""), line)
        return Self.text(line.extracting(start..<place - 1))
    }

    /// - Parameter stamp: the members that end the line.
    func expectEnd(_ stamp: [UInt8], _ line: Span<UInt8>) throws(UnusualSpelling) {
        guard !isFirst, line.count == place + stamp.count + 2, line[place] == UInt8(ascii: ","),
            line[line.count - 1] == UInt8(ascii: "}"),
            line.extracting(droppingLast: 1).ends(with: stamp)
        else { throw UnusualSpelling() }
    }

    // MARK: Values

    private func byte(_ line: Span<UInt8>) -> UInt8? {
        place < line.count ? line[place] : nil
    }

    private mutating func take(
        _ expected: UInt8, _ line: Span<UInt8>
    ) throws(UnusualSpelling) {
        guard byte(line) == expected else { throw UnusualSpelling() }
        place += 1
    }

    private mutating func isNull(_ line: Span<UInt8>) throws(UnusualSpelling) -> Bool {
        guard byte(line) == UInt8(ascii: "n") else { return false }
        for byte in "null".utf8 { try take(byte, line) }
        return true
    }

    private mutating func float(_ line: Span<UInt8>) throws(UnusualSpelling) -> Float {
        if try isNull(line) { return .nan }
        let start = place
        let value = try number(line).value
        // Rounded twice, a number is what it is rounded once, but for doubles in the middle between
        // two floats, and for floats that have fewer digits.
        let isMiddle = value.bitPattern & 0x1FFF_FFFF == 0x1000_0000
        let isNormal = value.magnitude >= Double(Float.leastNormalMagnitude) || value == 0
        if isNormal, !isMiddle { return Float(value) }
        return Float(Self.text(line.extracting(start..<place))) ?? .nan
    }

    private mutating func number(
        _ line: Span<UInt8>
    ) throws(UnusualSpelling) -> (value: Double, isWhole: Bool) {
        let start = place
        let isNegative = byte(line) == UInt8(ascii: "-")
        if isNegative { place += 1 }
        var digits: UInt64 = 0
        var isLong = false
        func add(_ byte: UInt8) {
            let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
            digits = product &+ UInt64(byte & 15)
            isLong = isLong || overflow || digits > 1 << 53
        }
        let firstDigit = place
        while let digit = digit(line) { add(digit) }
        let count = place - firstDigit
        // JSON has no number that begins with a point or a superfluous zero.
        guard count == 1 || count > 1 && line[firstDigit] != UInt8(ascii: "0") else {
            throw UnusualSpelling()
        }
        var exponent = 0
        var isWhole = true
        if byte(line) == UInt8(ascii: ".") {
            isWhole = false
            place += 1
            let first = place
            while let digit = digit(line) { add(digit) }
            exponent = first - place
            if exponent == 0 { throw UnusualSpelling() }
        }
        if byte(line) == UInt8(ascii: "e") {
            isWhole = false
            place += 1
            let isDown = byte(line) == UInt8(ascii: "-")
            if isDown || byte(line) == UInt8(ascii: "+") { place += 1 }
            var power = 0
            let first = place
            while let digit = digit(line), power < 10_000 { power = power * 10 + Int(digit & 15) }
            if place == first { throw UnusualSpelling() }
            exponent += isDown ? -power : power
        }
        // Both factors are exact, so that one rounding is all (Clinger 1990).
        if !isLong, Self.exactPowers.indices.contains(abs(exponent)) {
            let power = Self.exactPowers[abs(exponent)]
            let magnitude = exponent < 0 ? Double(digits) / power : Double(digits) * power
            return (isNegative ? -magnitude : magnitude, isWhole)
        }
        guard let value = Double(Self.text(line.extracting(start..<place))), value.isFinite else {
            throw UnusualSpelling()
        }
        return (value, isWhole)
    }

    private mutating func digit(_ line: Span<UInt8>) -> UInt8? {
        guard let byte = byte(line), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
            return nil
        }
        place += 1
        return byte
    }

    /// The powers of ten that are doubles.
    private static let exactPowers: [Double] = (0...22).map { power in
        (0..<power).reduce(1) { product, _ in product * 10 }
    }

    /// Of ASCII bytes.
    private static func text(_ bytes: Span<UInt8>) -> String {
        unsafe String(unsafeUninitializedCapacity: bytes.count) { buffer in
            for index in 0..<bytes.count { unsafe buffer[index] = bytes[index] }
            return bytes.count
        }
    }
}
