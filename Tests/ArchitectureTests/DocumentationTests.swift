import Foundation
import Testing

/// Documentation names what is there.
struct DocumentationTests {
    /// Every name in the code, comments left out: what is renamed or removed is not among them.
    private static func namesInCode(_ sources: [String]) -> Set<String> {
        func isPartOfName(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        var names: Set<String> = ["init", "subscript"]
        for text in sources {
            for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
                let code = line.drop { $0 == UInt8(ascii: " ") }
                guard !code.starts(with: "//".utf8) else { continue }
                for name in code.split(whereSeparator: { !isPartOfName($0) }) {
                    names.insert(String(decoding: name, as: UTF8.self))
                }
            }
        }
        return names
    }

    @Test func symbolsInDocCommentsExist() throws {
        let files = try Repository.files(below: "Sources").filter { $0.hasSuffix(".swift") }
        let texts = try files.map { try Repository.text("Sources/\($0)") }
        let names = Self.namesInCode(texts)
        var linkCount = 0
        for (file, text) in zip(files, texts) {
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
                .enumerated()
            where line.utf8.contains(UInt8(ascii: "`"))
                && line.drop(while: { $0 == " " }).hasPrefix("///")
            {
                for link in line.matches(of: /``([^`]+)``/) {
                    linkCount += 1
                    for part in link.output.1.split(separator: "/") {
                        let name = part.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                        #expect(
                            name.isEmpty || names.contains(String(name)),
                            "\(file), line \(index + 1): there is no \(link.output.1)")
                    }
                }
            }
        }
        #expect(linkCount > 100)
    }

    /// Characters, not bytes.
    @Test func commentsFitTheirLine() throws {
        for folder in ["Sources", "Tests"] {
            for file in try Repository.files(below: folder) where file.hasSuffix(".swift") {
                let lines = try Repository.text("\(folder)/\(file)")
                    .split(separator: "\n", omittingEmptySubsequences: false)
                for (index, line) in lines.enumerated()
                where line.utf8.count > 100 && line.count > 100
                    && line.drop(while: { $0 == " " }).hasPrefix("//")
                {
                    Issue.record(
                        "\(folder)/\(file), line \(index + 1): \(line.count) columns; wrap it")
                }
            }
        }
    }

    @Test func whereToLookNamesEveryRoom() throws {
        let page = try Repository.text("Sources/lockstep/Lockstep.docc/Architecture.md")
        let section = try #require(page.split(separator: "### Where to look").last)
        let files = Set(
            try Repository.files(below: "Sources") + Repository.files(below: "Tests"))
        let rooms = Set(files.compactMap { $0.split(separator: "/").first.map(String.init) })
        let sources = try FileManager.default.contentsOfDirectory(
            atPath: Repository.root.appendingPathComponent("Sources").path)
        let quoted = section.matches(of: /`([^`]+)`/).map { String($0.output.1) }
        for room in sources where !room.hasPrefix("C") || room == "CrashPoints" {
            #expect(
                quoted.contains { $0 == room || $0.hasPrefix(room + "/") }, "no line for \(room)")
        }
        for name in quoted
        where name.split(separator: "/").first.map({ rooms.contains(String($0)) })
            ?? false
        {
            let isThere = files.contains(name) || files.contains { $0.hasPrefix(name + "/") }
            #expect(isThere || rooms.contains(name), "there is no \(name)")
        }
    }
}
