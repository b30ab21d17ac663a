import ArgumentParser
import Foundation
import Report

/// `lockstep report`
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draw runs and tabulate them: one page, Markdown, CSV and drawings.",
        discussion: """
            Takes the folders of runs, and those that hold some below. Runs that differ in their \
            seed only are a group: curves are medians with the band between the quartiles, final \
            accuracies are means with their 95 % intervals. Runs that diverged, were interrupted \
            or have not ended are shown as what they are, up to their last recorded step. A log \
            that cannot be read is named and left out.

            Writes report.html (it needs nothing else, and no network), report.md, runs.csv (a row \
            a run and epoch) and drawings/NAME.svg; tables of more than 200 rows go whole to \
            tables/NAME.csv. Charts show 16 configurations; of more, those with the highest final \
            accuracies, and --only draws others. Runs of two data sets have no common report: \
            choose one.

            Examples:
              lockstep report runs
              lockstep report runs/paper --output paper --title "MSE and cross-entropy"
              lockstep report runs --dataset 9ae91a2c
              lockstep report runs --only batch_size=32,128 --only optimizer=adam
              lockstep report runs/fashion --targets-at 0.85,0.88
            """)

    @Argument(help: ArgumentHelp("Folders of runs, or with runs below them.", valueName: "dir"))
    var folders: [String] = []

    @Option(
        help: ArgumentHelp("A folder; files of an earlier report are replaced.", valueName: "dir"))
    var output = "report"

    @Option(help: ArgumentHelp("The page's head.", valueName: "text"))
    var title: String?

    @Option(
        help: ArgumentHelp(
            "Only runs on the data set whose SHA-256 starts so.", valueName: "hash-prefix"))
    var dataset: String?

    @Option(
        help: ArgumentHelp(
            "Only runs whose setting has one of these values; repeatable.",
            valueName: "setting=values"))
    var only: [RunFilter] = []

    @OptionGroup var targets: TargetOptions

    func run() throws {
        guard !folders.isEmpty else {
            throw UsageError(
                "report", "no folder is named",
                "give the folders of runs, “lockstep report runs” for instance")
        }
        let collection = try RunCollection(folders: folders)
        for note in collection.notes { Console.shared.say(note) }
        let runs = try only.reduce(chosen(from: collection)) { try $1.filtered($0) }
        let page = try RunsReport(
            runs, title: title, targets: targets.values, notes: collection.notes
        ).page
        for path in try page.write(toFolder: output) { print(path) }
    }

    private func chosen(from collection: RunCollection) throws -> [RunCollection.Run] {
        guard let dataset else { return collection.runs }
        let runs = dataset.isEmpty ? [] : collection.filtered(dataset: dataset)
        guard !runs.isEmpty else {
            let names = collection.datasets.map { "\($0.name) \($0.sha256)" }
            throw UsageError(
                "--dataset \(dataset)", "no run was trained on such data",
                "there are runs on \(names.joined(separator: " and "))")
        }
        return runs
    }
}
