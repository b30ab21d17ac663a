import Glibc
package import RunRecords

extension ReportPage {
    static let runsFile = "runs.csv"

    /// Writes `report.html`, `report.md`, `runs.csv` and `drawings/NAME.svg`, and `tables/NAME.csv`
    /// for each table that is too long for a page, each whole or not at all. What lay there under
    /// these names is replaced.
    ///
    /// - Returns: the paths, the page's first.
    /// - Throws: ``FileError`` (exit code 73).
    package func write(toFolder folder: String) throws(FileError) -> [String] {
        precondition(
            Set(charts.map(\.name)).count == charts.count, "two drawings have one name")
        precondition(
            Set(sections.map(\.id)).count == sections.count, "two sections have one identifier")
        try Files.makeFolders(folder)
        let files =
            [("report.html", html), ("report.md", markdown), (Self.runsFile, csv)]
            + charts.map { ("drawings/\($0.name).svg", $0.svgFile()) }
            + tables.filter(\.isCut).map { ($0.file, $0.csv) }
        if !charts.isEmpty { try Files.makeFolders(folder + "/drawings") }
        if tables.contains(where: \.isCut) { try Files.makeFolders(folder + "/tables") }
        // Of an earlier report, whose table was longer.
        for table in tables where !table.isCut { unsafe unlink("\(folder)/\(table.file)") }
        var paths: [String] = []
        for (name, text) in files {
            try Files.replace("\(folder)/\(name)", with: Array(text.utf8))
            paths.append("\(folder)/\(name)")
        }
        return paths
    }

    /// Whether a page can be written to a folder, which is made where it is missing.
    package static func check(folder: String) throws(FileError) {
        try Files.makeFolders(folder)
        try FileReplacement.check("\(folder)/report.html")
    }

    /// The runs as a tidy table, a row a run and epoch (RFC 4180, with line feeds).
    package var csv: String { RunsTable(runs).csv }
}
