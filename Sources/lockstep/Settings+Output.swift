import Datasets
import LockstepProtocol
import LockstepRuntime
import NeuralNetwork
import RunRecords
import TerminalText
import TrainingPlan

extension Settings {
    /// The text of a run's `config.yaml`: `--config` takes it as it is.
    func file(
        of configuration: RunConfiguration, placement: SessionPlacement, dataset: Dataset
    ) -> String {
        var rows = RunConfiguration.Key.allCases.compactMap { key in
            configuration.text(of: key).map { (key: SettingKey(key), text: $0) }
        }
        rows += [
            (.workers, "\(placement.workers)"), (.threads, "\(placement.threads)"),
            (.servers, placement.servers.text),
        ]
        for key in [
            SettingKey.data, .waitTimeout, .checkpointSeconds, .keepCheckpoints, .logEvery,
            .auditRate,
        ] {
            if let given = self[key] { rows.append((key, given.text)) }
        }
        let hash = configuration.sha256(dataset: dataset)
        return SettingsFile.text(
            rows,
            comment: [
                "lockstep \(lockstepVersion), arithmetic \(arithmeticVersion)",
                "dataset: \(dataset.name), SHA-256 \(dataset.sha256)",
                "configuration: SHA-256 \(hash)",
            ])
    }

    /// Prints each setting with its value and where that came from.
    ///
    /// - Parameter placement: settings that are not part of the configuration.
    func printTable(of configuration: RunConfiguration, _ placement: [(SettingKey, String)]) {
        var rows = table(of: configuration)
        for (key, value) in placement {
            rows.append((key, value, self[key]?.origin ?? "default"))
        }
        for key in [SettingKey.data, .waitTimeout, .logEvery, .auditRate] {
            if let given = self[key] { rows.append((key, given.text, given.origin)) }
        }
        let checkpoints = [
            (SettingKey.checkpointSeconds, "\(CheckpointPolicy.defaultSeconds)"),
            (.keepCheckpoints, "\(CheckpointStore.defaultKeep)"),
        ]
        for (key, fallback) in checkpoints {
            rows.append((key, self[key]?.text ?? fallback, self[key]?.origin ?? "default"))
        }
        print(TextTable(words: rows.map { [$0.key.name, $0.text, $0.origin] }).text())
    }
}

extension ServerPlacement {
    /// As `--servers` takes it.
    var text: String {
        switch self {
        case .count(let count): "\(count)"
        case .onWorkers: "auto"
        }
    }
}

extension SessionPlacement {
    /// The settings of a local cluster, for `--print-config`.
    var rows: [(SettingKey, String)] {
        [(.workers, "\(workers)"), (.threads, "\(threads)"), (.servers, servers.text)]
    }
}
