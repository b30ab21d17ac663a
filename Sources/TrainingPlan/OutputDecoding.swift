/// How outputs become a decision: the first largest output, of y or of (y + 1) / 2.
package enum OutputDecoding: String, CaseIterable, Codable, Sendable {
    case plain, rescaled
}
