import Foundation

/// Numbers as a person reads them, the same in every locale.
package enum Figures {
    package static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "—" }
        let text = String(format: "%.*f", digits, abs(value))
        let isZero = text.allSatisfy { $0 == "0" || $0 == "." }
        return (value < 0 && !isZero ? "−" : "") + grouped(text)
    }

    /// A fraction in percent with as many decimals as it needs, four at most: `97 %`, `97.5 %`.
    package static func percent(_ fraction: Double) -> String {
        fixed(fraction * 100, percentDigits(of: [fraction])) + " %"
    }

    /// The decimals that all of these fractions need in percent, four at most.
    package static func percentDigits(of fractions: [Double]) -> Int {
        (0...3).first { digits in
            let scale = (0..<digits + 2).reduce(1.0) { scale, _ in scale * 10 }
            return fractions.allSatisfy { abs($0 * scale - ($0 * scale).rounded()) < 1e-6 }
        } ?? 4
    }

    package static func count(_ value: Int) -> String {
        (value < 0 ? "−" : "") + grouped(String(value.magnitude))
    }

    package static func signed(_ value: Double, _ digits: Int) -> String {
        let text = fixed(value, digits)
        return value > 0 && text.contains { "123456789".contains($0) } ? "+" + text : text
    }

    /// “1 seed”, “3 seeds”.
    package static func plural(_ count: Int, _ noun: String) -> String {
        "\(Figures.count(count)) \(noun)\(count == 1 ? "" : "s")"
    }

    /// The first eight digits, enough to tell runs apart.
    package static func shortHash(_ hash: String) -> String {
        hash.isEmpty ? "—" : String(hash.prefix(8))
    }

    /// Commas between thousands of the whole part.
    private static func grouped(_ text: String) -> String {
        let whole = text.prefix { $0 != "." }
        var result = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index).isMultiple(of: 3) { result += "," }
            result.append(digit)
        }
        return result + text.dropFirst(whole.count)
    }
}
