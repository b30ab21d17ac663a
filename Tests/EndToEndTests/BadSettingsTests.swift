import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// What a person may get wrong on the command line, in the environment and in files: each with
    /// its exit code and a message that names thing, place and remedy.
    @Suite struct BadSettings {
        struct Mistake: CustomTestStringConvertible {
            let arguments: [String]
            let status: Int32
            let words: [String]

            init(_ arguments: String, _ status: Int32 = 64, _ words: String...) {
                self.arguments = arguments.split(separator: " ").map(String.init)
                self.status = status
                self.words = words
            }

            var testDescription: String { arguments.joined(separator: " ") }
        }

        static let flags = [
            Mistake("train --frobnicate 3", 64, "--frobnicate", "--help"),
            Mistake("frobnicate", 64, "frobnicate", "--help"),
            Mistake("train --batch-size 0", 64, "--batch-size 0", "at least one", "32"),
            Mistake("train --batch-size -1", 64, "--batch-size -1", "at least one", "32"),
            Mistake("train --batch-size many", 64, "'many'", "--batch-size <n>", "of a step"),
            Mistake("train --batch-size 2031", 64, "--batch-size 2031", "2030", "at most"),
            Mistake("train --layers 100,10", 64, "--layers 100,10", "784"),
            Mistake("train --layers 784,128,11", 64, "--layers 784,128,11", "10"),
            Mistake("train --layers 784,0,10", 64, "--layers 784,0,10", "width of 0"),
            Mistake("train --layers 784,-5,10", 64, "--layers 784,-5,10", "width of -5"),
            Mistake("train --layers 784", 64, "--layers 784", "784,128,10"),
            Mistake(
                "train --hidden-activation gelu", 64, "'gelu'", "--hidden-activation <name>",
                "'tanh'", "'relu'"),
            Mistake("train --configuration mse-tanh", 64, "--configuration is now --preset"),
            Mistake("sweep seed=1 --hidden tanh", 64, "--hidden is now --hidden-activation"),
            Mistake("coordinator --output tanh", 64, "--output is now --output-activation"),
            Mistake("sweep hidden=tanh", 64, "hidden=tanh", "write “hidden_activation”"),
            Mistake("sweep configuration=mse-tanh", 64, "write “preset”"),
            Mistake(
                "train --loss cross-entropy --output-activation tanh", 64,
                "--output-activation tanh", "cross-entropy", "softmax or sigmoid"),
            Mistake(
                "train --batch-size 32 --micro-batch 33", 64, "--micro-batch 33", "1 to 32"),
            Mistake("train --micro-batch 0", 64, "--micro-batch 0", "1 to 32"),
            Mistake("train --micro-batch -4", 64, "--micro-batch -4", "1 to 32"),
            Mistake("train --learning-rate nan", 64, "--learning-rate nan", "finite", "0.001"),
            Mistake("train --learning-rate inf", 64, "--learning-rate inf", "finite", "0.001"),
            Mistake("train --learning-rate -1", 64, "--learning-rate -1", "0 or more", "0.001"),
            Mistake("train --learning-rate=-1", 64, "--learning-rate -1", "0 or more", "0.001"),
            Mistake("train --learning-rate fast", 64, "'fast'", "--learning-rate <rate>"),
            Mistake("train --weight-decay -0.1", 64, "--weight-decay -0.1", "0 or more"),
            Mistake("train --weight-decay nan", 64, "--weight-decay nan", "finite"),
            Mistake("train --epochs 0", 64, "--epochs 0", "1 to"),
            Mistake("train --epochs -1", 64, "--epochs -1", "1 to"),
            Mistake("train --seed -1", 64, "'-1'", "--seed <n>", "Of initial weights"),
            Mistake("train --target-accuracy 2", 64, "--target-accuracy 2"),
            Mistake("train --validation-examples 2030", 64, "--validation-examples 2030", "2030"),
            Mistake("train --workers -1", 64, "--workers -1", "from 0"),
            Mistake("train --threads 0", 64, "--threads 0", "from 1"),
            Mistake("train --servers 0", 64, "--servers 0", "from 1"),
            Mistake("train --wait-timeout -1", 64, "--wait-timeout -1", "seconds"),
            Mistake("train --wait-timeout nan", 64, "--wait-timeout nan", "finite"),
            Mistake("train --log-level loud", 64, "'loud'", "--log-level <level>", "notice"),
            Mistake("compare --seeds 1,1", 64, "--seeds 1,1", "duplicate seed 1"),
            Mistake("compare --seeds 1-5,3", 64, "--seeds 1-5,3", "duplicate seed 3"),
            Mistake("compare --seeds 5-1", 64, "--seeds 5-1", "range"),
            Mistake("simulate --seeds 4,2-1", 64, "--seeds 4,2-1", "“2-1”"),
            Mistake("compare --seeds -1", 64, "--seeds -1", "from 0"),
            Mistake("compare --targets-at 0.5,2", 64, "--targets-at 0.5,2", "at most 1"),
            Mistake("report runs --targets-at 0.9,0.9", 64, "duplicate accuracy"),
            Mistake("completions tcsh", 64, "tcsh", "fish"),
            Mistake("coordinator --min-workers 0", 64, "--min-workers 0", "from 1"),
            Mistake(
                "coordinator --bind tcp://0.0.0.0:29500", 64, "--bind tcp://0.0.0.0:29500",
                "lockstep keys create"),
            Mistake(
                "server --bind tcp://0.0.0.0:29501 --insecure", 64, "--bind tcp://0.0.0.0:29501",
                "add --advertise"),
            Mistake("coordinator --data-ports 9-3", 64, "--data-ports 9-3", "29501-29540"),
            Mistake("coordinator --data-ports all", 64, "--data-ports all", "29501-29540"),
            Mistake("coordinator --data-ports 0-5", 64, "--data-ports 0-5", "29501-29540"),
            Mistake(
                "coordinator --data-ports 29600-29601 --servers 2", 64,
                "--data-ports 29600-29601", "3 ports are needed"),
            Mistake(
                "coordinator --data-ports 29500-29510", 64, "--data-ports 29500-29510",
                "the port of --bind"),
            Mistake(
                "coordinator --bind tcp://127.0.0.1:65500 --servers 64 --advertise 127.0.0.1:29500",
                64, "--bind tcp://127.0.0.1:65500", "66 ports are needed"),
            Mistake(
                "coordinator --servers 64 --advertise 127.0.0.1:65500", 64,
                "--advertise tcp://127.0.0.1:65500", "66 ports are needed", "--data-ports"),
            Mistake(
                "server --bind 127.0.0.1:29501 --data-ports 29600-29601", 64,
                "--bind 127.0.0.1:29501", "give port 0"),
            Mistake("coordinator --advertise a:b:c", 64, "--advertise a:b:c", "host"),
            Mistake("coordinator --advertise *", 64, "--advertise *", "give one of this host"),
            Mistake("coordinator --advertise host:70000", 64, "--advertise host:70000", "port"),
            Mistake("launch --hosts a --ssh nosuchssh", 64, "--ssh 'nosuchssh'", "no such program"),
            Mistake("doctor --hosts a --coordinator b:1", 64, "--coordinator", "leave one out"),
            Mistake(
                "coordinator --bind tcp://10.0.0.5:29500", 64, "--bind tcp://10.0.0.5:29500",
                "--insecure"),
            Mistake(
                "coordinator --insecure --bind tcp://0.0.0.0:65535", 64,
                "--bind tcp://0.0.0.0:65535",
                "65535 for control and 65536 for data", "up to 65534"),
            Mistake(
                "coordinator --insecure --bind tcp://0.0.0.0:65535 --servers 1", 64,
                "65535 for control, 65536 for data and 65537 for the server", "up to 65533"),
            Mistake("train --servers none", 64, "'none'", "--servers <n|auto>", "in the workers"),
            Mistake(
                "coordinator --insecure --bind [::]:65533 --servers 3 --data nowhere", 64,
                "--bind tcp://[::]:65533", "65535 to 65537 for 3 servers", "up to 65531"),
            Mistake(
                "coordinator --insecure --bind *:65535 --servers-apart", 64, "--bind tcp://*:65535",
                "2 ports", "up to 65534"),
            Mistake("worker --coordinator 127.0.0.1", 64, "--coordinator 127.0.0.1", "tcp://"),
            Mistake("worker --coordinator tcp://127.0.0.1:0", 64, "tcp://127.0.0.1:0"),
            Mistake("worker --data nowhere/at/all", 65, "nowhere/at/all", "no such folder"),
            Mistake("train --data nowhere/at/all", 65, "nowhere/at/all", "--data"),
            Mistake("train --config nowhere.yaml", 64, "--config nowhere.yaml", "check the path"),
            Mistake("train --run-dir /proc/lockstep/run", 73, "/proc/lockstep", "check the path"),
            Mistake("evaluate nowhere.safetensors", 65, "nowhere.safetensors", "check the path"),
        ]

        @Test(arguments: flags)
        func flagsAreRefused(mistake: Mistake) throws {
            expect(mistake, try Lockstep(usesKeys: true).run(mistake.arguments))
        }

        @Test(arguments: [
            ("LOCKSTEP_BATCH_SIZE", "-3", ["LOCKSTEP_BATCH_SIZE=-3", "at least one"]),
            ("LOCKSTEP_BATCH_SIZE", "many", ["“many” is not a whole number", "give one from"]),
            ("LOCKSTEP_SERVERS", "none", ["LOCKSTEP_SERVERS=none", "1 to 64, or auto"]),
            ("LOCKSTEP_LOSS", "sme", ["unknown value “sme”", "mse, cross-entropy"]),
            ("LOCKSTEP_HIDDEN", "tanh", ["LOCKSTEP_HIDDEN", "LOCKSTEP_HIDDEN_ACTIVATION instead"]),
            ("LOCKSTEP_LEARNING_RATE", "nan", ["LOCKSTEP_LEARNING_RATE=nan", "finite"]),
            ("LOCKSTEP_KERNELS", "sse", ["LOCKSTEP_KERNELS=sse", "baseline"]),
        ])
        func environmentIsRefused(name: String, value: String, words: [String]) throws {
            let run = try Lockstep(usesKeys: true).run(["train"], [name: value])
            #expect(run.status == 64)
            for word in words { #expect(run.message.contains(word), "\(run.standardError)") }
        }

        @Test(arguments: [
            ("epochs: 1\nbatchsize: 3\n", ["line 2", "batchsize", "batch_size"]),
            ("epochs: 1\n\nbatch_size: 0\n", ["line 3", "batch_size: 0", "at least one"]),
            ("learning_rate: .nan\n", ["line 1", "learning_rate", "number"]),
            ("epochs: 1\nhidden: tanh\n", ["line 2, hidden", "write hidden_activation instead"]),
            ("configuration: mse-tanh\n", ["line 1, configuration", "write preset instead"]),
            ("batch_size: 8\nbatch-size: 9\n", ["line 2, batch_size: 9", "line 1 sets"]),
            ("layers: [784, 128, 11]\n", ["line 1", "784,128,11", "10 classes"]),
            ("epochs: {a: 1}\n", ["line 1", "epochs", "name: value"]),
            ("just words\n", ["name: value"]),
            ("a: [\n", ["YAML", "name: value"]),
        ])
        func filesAreRefused(text: String, words: [String]) throws {
            let lockstep = try Lockstep(usesKeys: true)
            try lockstep.folder.write(text, "my.yaml")
            let path = lockstep.folder.path("my.yaml")
            let run = try lockstep.run(["train", "--config", path])
            #expect(run.status == 64)
            for word in [path] + words {
                #expect(run.message.contains(word), "\(run.standardError)")
            }
        }

        @Test func placesThatCannotBeWrittenAreNamed() throws {
            let lockstep = try Lockstep(usesKeys: true)
            try lockstep.folder.write("a file", "file")
            // Below a file nobody can write, not even root.
            let place = lockstep.folder.path("file/run")
            let run = try lockstep.run(["train", "--workers", "0", "--run-dir", place])
            #expect(run.status == 73)
            #expect(run.message.contains(place), "\(run.message)")
            #expect(run.message.contains("choose another place"), "\(run.message)")
        }

        @Test func directoriesOfOthersAreRefused() throws {
            let lockstep = try Lockstep(usesKeys: true)
            let directory = lockstep.folder.path("run")
            let arguments = [
                "train", "--workers", "0", "--epochs", "1", "--run-dir", directory,
            ]
            #expect(try lockstep.run(arguments).status == 0)
            let other = try lockstep.run(arguments + ["--seed", "2"])
            #expect(other.status == 78)
            for word in [directory, "seed 1", "seed 2", "--run-dir"] {
                #expect(other.message.contains(word), "\(other.message)")
            }
            try FileManager.default.createDirectory(
                atPath: lockstep.folder.path("mine"), withIntermediateDirectories: true)
            try lockstep.folder.write("a letter", "mine/letter")
            let mine = try lockstep.run(
                arguments.dropLast() + [lockstep.folder.path("mine")])
            #expect(mine.status == 78)
            #expect(mine.message.contains("not a run folder"), "\(mine.message)")
        }

        private func expect(_ mistake: Mistake, _ run: ToolRun) {
            #expect(run.status == mistake.status, "\(run.standardError)")
            #expect(run.standardOutput.isEmpty)
            for word in mistake.words {
                #expect(run.standardError.contains(word), "\(run.standardError)")
            }
        }
    }
}
