/// A figure for each seed and each test example, most of them 0: whether a network is wrong, or by
/// how much one is righter than another.
package struct CrossedTable: Equatable, Sendable {
    private struct Cell: Equatable, Sendable {
        let column: Int32
        let value: Int32
    }

    package let rowCount: Int
    package let columnCount: Int
    /// By row; those that are not 0.
    private let cells: [[Cell]]

    /// - Parameter rows: of equal length, not empty.
    package init(_ rows: [[Int8]]) {
        precondition(
            !rows.isEmpty && !rows[0].isEmpty && rows.allSatisfy { $0.count == rows[0].count },
            "each seed needs a figure for each example")
        rowCount = rows.count
        columnCount = rows[0].count
        cells = rows.map { row in
            row.enumerated().filter { $0.element != 0 }.map {
                Cell(column: Int32($0.offset), value: Int32($0.element))
            }
        }
    }

    package var mean: Double { Double(rowSums.reduce(0, +)) / Double(rowCount * columnCount) }

    private var rowSums: [Int] { cells.map { $0.reduce(0) { $0 + Int($1.value) } } }

    private var columnSums: [Int] {
        var sums = [Int](repeating: 0, count: columnCount)
        for cell in cells.joined() { sums[Int(cell.column)] += Int(cell.value) }
        return sums
    }

    /// With each row and column counted as often as given; the counts add up to those of the table.
    func mean(rowCounts: [Int], columnCounts: [Int32]) -> Double {
        var sum = 0
        for (row, count) in zip(cells, rowCounts) where count > 0 {
            var rowSum: Int32 = 0
            for cell in row { rowSum &+= cell.value &* columnCounts[Int(cell.column)] }
            sum += Int(rowSum) * count
        }
        return Double(sum) / Double(rowCount * columnCount)
    }

    /// What the mean's variance is, by the components of rows, columns and cells (Cornfield & Tukey
    /// 1956), with its degrees of freedom by Satterthwaite's formula (1946).
    ///
    /// - Returns: nil where there is one row or one column only, or no scatter.
    var meanVariance: (variance: Double, degreesOfFreedom: Double)? {
        let (n, m) = (Double(rowCount), Double(columnCount))
        guard n > 1, m > 1 else { return nil }
        let correction = n * m * mean * mean
        func squares(_ sums: [Int]) -> Double { sums.reduce(0) { $0 + Double($1 * $1) } }
        let rows = squares(rowSums) / m - correction
        let columns = squares(columnSums) / n - correction
        let all = Double(cells.joined().reduce(0) { $0 + Int($1.value * $1.value) }) - correction
        let (ofRows, ofColumns) = (rows / (n - 1), columns / (m - 1))
        let ofCells = max(all - rows - columns, 0) / ((n - 1) * (m - 1))
        // That of the cells alone is the least that it can be.
        let sum = max(ofRows + ofColumns - ofCells, ofCells)
        guard sum > 0 else { return nil }
        let squared =
            ofRows * ofRows / (n - 1) + ofColumns * ofColumns / (m - 1)
            + ofCells * ofCells / ((n - 1) * (m - 1))
        return (sum / (n * m), sum * sum / squared)
    }
}
