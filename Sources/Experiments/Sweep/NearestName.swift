import LockstepRuntime

/// Names that a person may have meant.
package enum NearestName {
    /// The name that is the fewest edits away: letters put in, left out, changed, or swapped with
    /// the next.
    ///
    /// - Returns: nil where there is no name; the first of several that are equally near.
    package static func find(_ text: String, in names: [String]) -> String? {
        names.min { distance(text, $0) < distance(text, $1) }
    }

    /// Edits between two words, as Damerau and Levenshtein count them (optimal string alignment).
    package static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.lowercased()), Array(b.lowercased()))
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
