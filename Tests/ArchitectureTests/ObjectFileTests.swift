import Foundation
import TestSupport
import Testing

/// What the compiled objects hold and ask for.
@Suite(.enabled(if: ToolRun.find("nm") != nil, "needs nm (Debian package binutils)"))
struct ObjectFileTests {
    /// A line of `nm`: the symbol's kind and name.
    private struct Symbol {
        let kind: String
        let name: String
    }

    private static func symbols(_ file: URL, _ options: [String] = []) throws -> [Symbol] {
        let nm = try #require(ToolRun.find("nm"))
        let run = try ToolRun(nm, options + [file.path])
        try #require(run.status == 0, "nm \(file.path): \(run.output)")
        return run.output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let name = words.last, words.count >= 2 else { return nil }
            return Symbol(kind: String(words[words.count - 2]), name: String(name))
        }
    }

    /// The objects of a target, beside the running tests.
    private static func objects(_ target: String) throws -> [URL] {
        let folder = ToolRun.buildDirectory.appendingPathComponent("\(target).build")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".o") }
        try #require(!files.isEmpty, "no objects in \(folder.path)")
        return files.map(folder.appendingPathComponent)
    }

    #if arch(x86_64)
        private static let vectorTargets = ["KernelsAVX2", "KernelsAVX512"]
    #else
        private static let vectorTargets: [String] = []
    #endif

    /// The linker may serve a weak symbol of such an object to the whole program, which would then
    /// die on other CPUs. Those of the module's own name cannot stand for anything else.
    @Test(arguments: vectorTargets)
    func vectorObjectsHoldNoWeakCodeOfOthers(target: String) throws {
        let own = "$s\(target.utf8.count)\(target)"
        var count = 0
        for object in try Self.objects(target) {
            for symbol in try Self.symbols(object) {
                count += 1
                // W and V are weak definitions; of data, the reflection version is the same in all
                // objects.
                guard ["W", "V"].contains(symbol.kind), !symbol.name.hasPrefix(own),
                    symbol.name != "__swift_reflection_version"
                else { continue }
                Issue.record("\(object.lastPathComponent) of \(target): weak \(symbol.name)")
            }
        }
        #expect(count > 20, "the kernels are there")
    }

    /// Every name that libm gives, but for those that give the same bits everywhere.
    private static func forbiddenNames() throws -> Set<String> {
        // The kernel gives no size for this file, so it is read to its end.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
        let maps = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        let line = try #require(
            maps.split(separator: "\n").first { $0.contains("/libm.so") || $0.contains("/libm-") })
        let path = try #require(line.split(separator: " ").last)
        let names = try symbols(URL(fileURLWithPath: String(path)), ["-D", "--defined-only"])
            .map { String($0.name.prefix { $0 != "@" }) }
        let forbidden = Set(names).subtracting(["fma", "fmaf", "sqrt", "sqrtf"])
        try #require(
            forbidden.isSuperset(of: ["exp", "expf", "logf", "tanhf", "powf", "sin", "cos"]))
        return forbidden
    }

    @Test(
        arguments: ["Kernels", "NeuralNetwork", "TrainingPlan", "Datasets", "RandomNumbers"]
            + vectorTargets)
    func noBitsComeFromLibm(target: String) throws {
        let forbidden = try Self.forbiddenNames()
        for object in try Self.objects(target) {
            let used = try Self.symbols(object, ["-u"]).filter { forbidden.contains($0.name) }
            for symbol in used {
                Issue.record("\(object.lastPathComponent) of \(target) calls \(symbol.name)")
            }
        }
    }
}
