import Foundation
import Testing

/// The manifest, by a validator of Kubernetes' schemas where Python has it.
@Suite struct KubernetesTests {
    @Test(.enabled(if: Python.has("yaml"), "needs python3 with PyYAML"))
    func theManifestFitsItsSchemas() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        try Python.run(
            "kubernetes_manifest.py",
            [root.appendingPathComponent("Cluster/kubernetes/lockstep.yaml").path])
    }
}
