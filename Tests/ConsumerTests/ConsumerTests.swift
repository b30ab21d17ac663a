import Foundation
import TestSupport
import Testing

/// Each format read by the program that people read it with.
@Suite(.serialized) struct ConsumerTests {
    @Test(.needs("numpy"), arguments: Networks.all)
    func numpyComputesOurOutputs(network: [String]) throws {
        try TrainedRun.with(network) { run in
            try run.writeOutputs()
            try run.export("npz")
            try Python.run("npz_file.py", [run.folder])
        }
    }

    @Test(.needs("numpy", "onnx", "onnxruntime"), arguments: Networks.all)
    func onnxruntimeComputesOurOutputs(network: [String]) throws {
        try TrainedRun.with(network) { run in
            try run.writeOutputs()
            try run.export("npz")
            try run.export("onnx")
            try Python.run("onnx_file.py", [run.folder])
        }
    }

    /// Networks in one process: TensorFlow takes its time to start.
    @Test(.needs("numpy", "keras"))
    func kerasDecidesAsWeDo() throws {
        func judge(_ networks: ArraySlice<[String]>, after runs: [TrainedRun]) throws {
            guard let network = networks.first else {
                return try Python.run("keras_model.py", runs.map(\.folder))
            }
            try TrainedRun.with(network) { run in
                try run.writeOutputs()
                try run.export("npz")
                try judge(networks.dropFirst(), after: runs + [run])
            }
        }
        try judge(Networks.all[...], after: [])
    }

    /// The package sorts tensors by name; the same weights come out of both orders.
    @Test(.needs("numpy", "safetensors"), arguments: Networks.all)
    func safetensorsReadsAndWritesOurFiles(network: [String]) throws {
        try TrainedRun.with(network) { run in
            try run.export("safetensors")
            try Python.run("safetensors_file.py", [run.folder])
            let again = run.folder + "/again"
            let written = run.folder + "/back.safetensors"
            let export = try Lockstep.run(
                ["export", again, "--to", "safetensors", "--output", written])
            #expect(export.status == 0, "\(export.output)")
            func bytes(_ path: String) throws -> Data {
                try Data(contentsOf: URL(fileURLWithPath: path))
            }
            let original = try bytes(run.checkpoint())
            #expect(try bytes(again + "/model.safetensors") != original)
            #expect(try bytes(written) == original)
            #expect(try bytes(run.folder + "/model.safetensors") == original)
        }
    }

    /// Two seeds of one configuration, and another configuration with evaluations between epochs.
    @Test(.needs("numpy", "safetensors", "tensorboard"))
    func tensorboardListsEveryTagAndValue() throws {
        try TrainedRun.with(["--preset", "mse-tanh", "--seed", "1"]) { run in
            let others = ["second", "third"].map { "\(run.folder)/\($0)" }
            try run.train(["--preset", "mse-tanh", "--seed", "2"], to: others[0])
            try run.train(
                [
                    "--preset", "ce-softmax", "--evaluate-every", "50",
                    "--validation-examples", "500",
                ], to: others[1])
            let board = run.folder + "/board"
            let runs = [run.run] + others
            let export = try Lockstep.run(
                ["export"] + runs + ["--to", "tensorboard", "--output", board])
            try #require(export.status == 0, "\(export.output)")
            try Python.run("tensorboard_events.py", [board] + runs)
        }
    }

    @Test(.needs("tensorboard"))
    func anOpenTensorBoardSeesWhatIsNew() throws {
        try TrainedRun.with(["--preset", "ce-softmax", "--epochs", "3"]) { run in
            let program = ToolRun.buildDirectory.appendingPathComponent("lockstep").path
            try Python.run("tensorboard_growth.py", [program, run.run])
        }
    }
}
