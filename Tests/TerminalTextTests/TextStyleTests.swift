import TerminalText
import Testing

@Suite struct TextStyleTests {
    private let ascii = TextStyle(usesUnicode: false)

    /// Signs of figures and of sentences have their spellings; a sign without one is told from
    /// none, and a name keeps its letters.
    @Test(arguments: [
        ("p ≤ 0.05, n ≥ 3, 4 ≠ 5 ≈ 6", "p <= 0.05, n >= 3, 4 != 5 ~ 6"),
        ("3 µs – 4 μs × 5 → 1 ± 2 · −7 —", "3 us - 4 us x 5 -> 1 +- 2 | -7 -"),
        ("“a” and ‘b’…", "\"a\" and 'b'..."), ("χ² 10³", "chi^2 10^3"), ("★ ⁴", "? ?"),
        ("läufe/日本", "läufe/日本"), ("plain % ASCII", "plain % ASCII"),
    ])
    func signsHaveSpellings(text: String, expected: String) {
        #expect(ascii.adapted(text) == expected)
        #expect(TextStyle().adapted(text) == text)
    }

    /// A number keeps its unit and its deviation, in both kinds of signs.
    @Test func linesBreakBetweenWords() {
        let text = "it is 96.8 ± 0.1 % of them"
        #expect(
            TextStyle(width: 17).wrapped(text) == "it is\n96.8 ± 0.1 % of\nthem")
        let narrow = TextStyle(width: 18, usesUnicode: false)
        #expect(narrow.wrapped(text) == "it is\n96.8 +- 0.1 % of\nthem")
    }
}
