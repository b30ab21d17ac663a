import Foundation
import NeuralNetwork
import TerminalText

/// Prints sections as they are measured, on standard output.
final class Reporter {
    let isJSON: Bool
    /// Those shown so far that are measured for a goal.
    private(set) var figuresWithGoal: [Figure] = []
    private let style = TextStyle.of(STDOUT_FILENO)

    /// - Parameter data: what is trained on, in words, where something is.
    init(_ options: BenchOptions, data: String? = nil) throws {
        isJSON = options.json
        let kernels = try KernelSet.selected().variant
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let parts = [
            Self.processorName, Figures.plural(cores, "core"), "kernels \(kernels.rawValue)", data,
            options.quick ? "--quick: not for comparison" : nil,
        ]
        let line = style.adapted(parts.compactMap { $0 }.joined(separator: " · "))
        if isJSON { Notes.say(line) } else { print(line) }
    }

    func show(_ sections: [Section]) throws {
        Notes.endProgress()
        for section in sections {
            figuresWithGoal += section.figures.filter { $0.entry != nil }
            if isJSON {
                for line in try section.jsonLines() { print(line) }
                // Notes go another way, and must not cut a line in two where both ways are one.
                fflush(nil)
                for note in section.notes { Notes.say("\(section.title): \(note)") }
            } else {
                print("\n" + section.text(style))
            }
        }
        fflush(nil)
    }

    /// Every goal with what was measured for it: the end of `all`.
    func showSummary(of entries: [GoalEntry]) throws {
        let summary = GoalSummary(entries, figuresWithGoal)
        if isJSON {
            for line in try summary.jsonLines() { print(line) }
        } else {
            print("\n" + summary.text(style))
        }
        fflush(nil)
    }

    /// As Linux calls it.
    private static var processorName: String {
        // The kernel gives no size for this file, so it is read to its end.
        let bytes = try? FileHandle(forReadingAtPath: "/proc/cpuinfo")?.readToEnd()
        let line = String(decoding: bytes ?? Data(), as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("model name") }
        guard let name = line?.split(separator: ":").last else { return "unknown processor" }
        return name.trimmingCharacters(in: .whitespaces)
    }
}
