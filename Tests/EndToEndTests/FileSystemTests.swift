import Foundation
import RunRecords
import TestSupport
import Testing

extension EndToEndTests {
    /// File systems that do not offer everything, and names that are no text.
    @Suite struct FileSystemTests {
        static let compiler = ToolRun.find("clang") ?? ToolRun.find("cc")

        let lockstep: Lockstep

        init() throws { lockstep = try Lockstep() }

        private var runPath: String { lockstep.folder.path("run") }

        /// Stands between the program and the system: what some FUSE and network mounts answer.
        private func interposing(_ source: String) throws -> [String: String] {
            let path = lockstep.folder.path("refusing")
            let header = "#define _GNU_SOURCE\n#include <errno.h>\n#include <sys/stat.h>\n"
            try lockstep.folder.write(header + source, "refusing.c")
            let built = try ToolRun(
                #require(Self.compiler), ["-shared", "-fPIC", "-o", path + ".so", path + ".c"])
            try #require(built.status == 0, "\(built.standardError)")
            return ["LD_PRELOAD": path + ".so"]
        }

        private static let refusesFolders = """
            #include <unistd.h>
            #include <sys/syscall.h>
            int fsync(int file) {
                struct stat status;
                if (fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) { errno = EINVAL; return -1; }
                return syscall(SYS_fsync, file);
            }
            """

        @Test(.enabled(if: compiler != nil, "needs a C compiler"), arguments: ["0", "2"])
        func foldersThatCannotBeSynchronisedAreNoReasonNotToTrain(workers: String) throws {
            let training = ["train", "--workers", workers, "--epochs", "3", "--json", "--run-dir"]
            let reference = try lockstep.run(training + [lockstep.folder.path("reference")]).end()
            let run = try lockstep.run(training + [runPath], interposing(Self.refusesFolders))
            #expect(run.status == 0, "\(run.standardError)")
            #expect(try run.end().weightsSHA256 == reference.weightsSHA256)
            let warnings = run.standardError.matches(of: /warning: .* durable/)
            #expect(warnings.count == 1, "\(run.standardError)")
        }

        @Test(
            .enabled(if: compiler != nil, "needs a C compiler"),
            arguments: ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
        func aLockThatCannotBeHadIsSaid(code: String) throws {
            let run = try lockstep.run(
                ["train", "--workers", "0", "--epochs", "1", "--run-dir", runPath],
                interposing("int flock(int file, int how) { errno = \(code); return -1; }"))
            #expect(run.status == 0, "\(run.standardError)")
            let warnings = run.standardError.matches(of: /warning: .* cannot be locked/)
            #expect(warnings.count == 1, "\(run.standardError)")
        }

        /// Before it trains, not after.
        @Test(.enabled(if: compiler != nil, "needs a C compiler"))
        func aFileThatCannotBePutInPlaceIsKnownAtOnce() throws {
            let run = try lockstep.run(
                ["train", "--workers", "0", "--epochs", "1", "--run-dir", runPath],
                interposing(
                    "int rename(const char *a, const char *b) { errno = EPERM; return -1; }"))
            #expect(run.status == 73, "\(run.standardError)")
            #expect(!run.standardError.contains("train loss"), "\(run.standardError)")
        }

        /// In bash's words.
        private static let notText = "$'x\\xff'"

        @Test(arguments: [
            "train --workers 0 --epochs 1 --run-dir \(notText)", "report \(notText)",
            "train --data \(notText) --workers 0 --epochs 1",
            "export \(notText) --to npz", "keys create \(notText)",
        ])
        func aNameThatIsNoTextIsRefused(command: String) throws {
            let run = try shell("exec \(Lockstep.program.path) \(command)")
            #expect(run.status == 64, "\(run.standardError)")
            #expect(run.message.contains("UTF-8"), "\(run.standardError)")
            let made = try FileManager.default.contentsOfDirectory(atPath: lockstep.folder.path)
            #expect(made.isEmpty, "\(made)")
        }

        @Test func aVariableThatIsNoTextIsRefused() throws {
            let run = try shell(
                "LOCKSTEP_DATA=\(Self.notText) exec \(Lockstep.program.path) train --workers 0")
            #expect(run.status == 64, "\(run.standardError)")
            #expect(run.message.contains("LOCKSTEP_DATA"), "\(run.standardError)")
        }

        private func shell(_ command: String) throws -> ToolRun {
            try RunningTool(
                URL(fileURLWithPath: "/bin/bash"),
                ["-c", "cd \(lockstep.folder.path); \(command)"], environment: lockstep.environment
            ).end()
        }

        /// An upgrade in the middle of a run: what was begun continues with what it was begun with.
        @Test(arguments: ["rm program", "cp /bin/false new; mv -f new program"])
        func aProgramThatIsReplacedGoesOn(replacement: String) throws {
            let program = lockstep.folder.path("program")
            try FileManager.default.copyItem(atPath: Lockstep.program.path, toPath: program)
            let parent = try RunningTool(
                URL(fileURLWithPath: program),
                [
                    "train", "--workers", "2", "--epochs", "100000", "--run-dir", runPath,
                ], environment: lockstep.environment)
            let workers = try parent.workers(2)
            try #require(parent.says("train loss"), "\(parent.standardError)")
            let replaced = try shell(replacement)
            try #require(replaced.status == 0, "\(replaced.standardError)")
            kill(workers[0], SIGKILL)
            let all = try parent.workers(3)
            let epochs = parent.epochCount
            #expect(eventually { parent.epochCount > epochs + 1 }, "\(parent.standardError)")
            parent.send(SIGTERM)
            #expect(parent.end().status == 143)
            for worker in all { #expect(eventually { !isAlive(worker) }) }
        }
    }
}
