import Foundation
import LockstepProtocol

/// What can be measured beside Lockstep, and why not the rest.
struct Peers {
    private let folder: String?

    init(_ options: PeerOptions) throws {
        folder = options.peers
        var isFolder: ObjCBool = false
        guard let folder else { return }
        guard unsafe FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
            isFolder.boolValue
        else {
            throw BenchError(
                .usage,
                "--peers \(folder): there is no such folder; give one with torch_ddp.py, "
                    + "jax_scan.py, keras_seed.py, zmq_floor.c and zmq_colocated.c")
        }
    }

    /// A program of the peers' folder, or why it is left out.
    enum Availability<Program> {
        case available(Program)
        case missing(String)
    }

    /// A script, and the Python that has its module: the start of a command.
    func script(_ name: String, needs module: String, _ folder: TemporaryFolder) -> Availability<
        [String]
    > {
        guard let path = path(name) else { return .missing(missing(name)) }
        guard let python = Tools.find("python3") else {
            return .missing("\(name) is left out: there is no python3.")
        }
        let check =
            "import importlib.util, sys; "
            + "sys.exit(0 if importlib.util.find_spec('\(module)') else 1)"
        do {
            let child = try Child([python, "-c", check], folder: folder)
            _ = try child.waitForOutput(seconds: 60)
        } catch {
            return .missing("\(name) is left out: python3 has no module \(module).")
        }
        return .available([python, path])
    }

    /// A program in C of the peers, compiled.
    func bareExchange(_ program: BareProgram, _ folder: TemporaryFolder) -> Availability<String> {
        let name = "\(program.rawValue).c"
        guard let path = path(name) else { return .missing(missing(name)) }
        guard let compiler = Tools.find("cc") else {
            return .missing("\(name) is left out: there is no cc.")
        }
        let output = folder.freshPath(program.rawValue)
        let command = [compiler, "-O3", "-march=native", path, "-lzmq", "-o", output]
        do {
            _ = try Child(command, folder: folder).waitForOutput(seconds: 60)
        } catch {
            return .missing("\(name) is left out: \(error).")
        }
        return .available(output)
    }

    private func path(_ name: String) -> String? {
        guard let folder else { return nil }
        let path = "\(folder)/\(name)"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    private func missing(_ name: String) -> String {
        folder.map { "\(name) is left out: it is not in \($0)." }
            ?? "\(name) is left out: --peers names no folder."
    }
}
