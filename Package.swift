// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours: Swift 6, strict memory safety, no warning left standing.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The kernels are compiled once for every instruction set and chosen at run time. SwiftPM has no
/// setting for the target CPU, so this is the one place that needs unsafe flags.
func kernels(_ name: String, targetCPU: String, _ settings: [SwiftSetting] = []) -> Target {
    .target(
        name: name, dependencies: ["CVector"],
        swiftSettings: strict + settings + [
            .unsafeFlags(["-Xcc", "-march=\(targetCPU)", "-target-cpu", targetCPU])
        ])
}

#if arch(x86_64)
    let kernelVariants = [
        kernels("KernelsAVX2", targetCPU: "haswell"),
        kernels("KernelsAVX512", targetCPU: "skylake-avx512", [.define("AVX512")]),
    ]
#else
    let kernelVariants: [Target] = []
#endif

let package = Package(
    name: "lockstep",
    products: [
        .executable(name: "lockstep", targets: ["lockstep"]),
        .executable(name: "lockstep-bench", targets: ["lockstep-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CSodium", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CVector"),
        // What Glibc's module leaves out.
        .systemLibrary(name: "CLinux"),
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ"], swiftSettings: strict),
        .target(name: "Hashing", dependencies: ["CSodium", "CZlib"], swiftSettings: strict),
        .target(name: "RandomNumbers", swiftSettings: strict),
        .target(name: "CrashPoints", swiftSettings: strict),
        .target(name: "TrainingPlan", swiftSettings: strict),
        .target(name: "Kernels", dependencies: ["CVector"], swiftSettings: strict),
        .target(
            name: "NeuralNetwork",
            dependencies: ["Kernels", "RandomNumbers", "TrainingPlan"]
                + kernelVariants.map { .init(stringLiteral: $0.name) },
            swiftSettings: strict),
        .target(
            name: "Datasets", dependencies: ["Hashing", "RandomNumbers", "CZlib"],
            swiftSettings: strict),
        .target(name: "TerminalText", swiftSettings: strict),
        .target(name: "Statistics", dependencies: ["RandomNumbers"], swiftSettings: strict),
        .target(name: "Formats", dependencies: ["Hashing"], swiftSettings: strict),
        .target(
            name: "RunRecords", dependencies: ["Formats", "CrashPoints", "Hashing"],
            swiftSettings: strict),
        .target(
            name: "Report",
            dependencies: ["Statistics", "RunRecords", "Formats", "TerminalText"],
            // In the program itself, which is one file.
            resources: [
                .embedInCode("Drawing/chart.css"), .embedInCode("Page/page.css"),
                .embedInCode("Page/page.js"),
            ], swiftSettings: strict),
        .target(
            name: "LockstepProtocol", dependencies: ["TrainingPlan"], swiftSettings: strict),
        .target(
            name: "LockstepRuntime",
            dependencies: [
                "LockstepProtocol", "NeuralNetwork", "TrainingPlan", "Datasets", "RunRecords",
                "Formats", "TerminalText", "ZeroMQ", "Hashing", "CrashPoints", "CLinux",
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .target(
            name: "Experiments",
            dependencies: [
                "LockstepRuntime", "LockstepProtocol", "NeuralNetwork", "TrainingPlan", "Datasets",
                "Report", "Statistics", "RunRecords", "Formats", "TerminalText", "Hashing",
            ],
            // The plan that a study follows is that of its program. A link to the documentation.
            resources: [.embedInCode("Study/Study.md")], swiftSettings: strict),
        .target(
            name: "LockstepSimulator",
            dependencies: [
                "LockstepRuntime", "LockstepProtocol", "NeuralNetwork", "TrainingPlan",
                "RunRecords", "ZeroMQ",
            ], swiftSettings: strict),
        .executableTarget(
            name: "lockstep",
            dependencies: [
                "CLinux", "LockstepSimulator", "Experiments", "LockstepRuntime", "LockstepProtocol",
                "NeuralNetwork", "TrainingPlan", "Datasets", "Report", "RunRecords", "Formats",
                "TerminalText", "ZeroMQ", "Hashing", "CrashPoints",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ], swiftSettings: strict),
        // Times what one core can do at all: a part of the bench, in its folder.
        .systemLibrary(name: "CPeak", path: "Sources/lockstep-bench/Kernels/CPeak"),
        .executableTarget(
            name: "lockstep-bench",
            dependencies: [
                "CPeak", "Hashing", "LockstepProtocol", "NeuralNetwork", "TrainingPlan", "Datasets",
                "ZeroMQ", "Report", "TerminalText", "RandomNumbers",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], exclude: ["Kernels/CPeak"], swiftSettings: strict),
        .target(
            name: "TestSupport",
            dependencies: ["Datasets", "NeuralNetwork", "RunRecords", "TrainingPlan"],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        tests("ZeroMQ"),
        tests("RandomNumbers"),
        tests("Hashing"),
        tests("TrainingPlan"),
        // Prints a digest of what the kernels compute, natively and under an emulated CPU.
        .executableTarget(
            name: "kernel-digest",
            dependencies: ["NeuralNetwork", "RandomNumbers", "TrainingPlan"],
            path: "Tests/KernelDigest", swiftSettings: strict),
        tests("Kernels", ["NeuralNetwork", "TrainingPlan", "kernel-digest"]),
        // Runs the kernels once, to have their instructions counted.
        .executableTarget(
            name: "kernel-cost",
            dependencies: ["NeuralNetwork", "RandomNumbers", "TrainingPlan"],
            path: "Tests/KernelCost", swiftSettings: strict),
        .testTarget(
            name: "KernelCostTests", dependencies: ["TestSupport", "NeuralNetwork", "kernel-cost"],
            exclude: ["instructions.tsv"], swiftSettings: strict),
        tests("NeuralNetwork", ["Datasets", "RandomNumbers", "TrainingPlan"]),
        tests("Datasets", ["Hashing"]),
        tests("TerminalText"),
        // Simulates runs whose truth is known, and counts how often intervals hold it.
        .executableTarget(
            name: "interval-coverage", dependencies: ["Statistics", "RandomNumbers"],
            path: "Tests/IntervalCoverage", swiftSettings: strict),
        tests("Statistics", ["RandomNumbers", "interval-coverage"]),
        tests("Formats"),
        tests("RunRecords", ["Formats", "CrashPoints", "Hashing"]),
        tests("Report", ["RunRecords", "Statistics", "TerminalText"]),
        // Counts a thread's allocations, for the tests of what allocates nothing.
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        tests("LockstepProtocol", ["TrainingPlan", "AllocationCounter"]),
        tests(
            "LockstepRuntime",
            [
                "LockstepProtocol", "NeuralNetwork", "TrainingPlan", "Datasets", "ZeroMQ",
                "RunRecords", "TerminalText", "AllocationCounter",
            ]),
        tests(
            "Experiments",
            [
                "LockstepRuntime", "LockstepProtocol", "NeuralNetwork", "TrainingPlan", "Datasets",
                "Report", "Statistics", "RunRecords", "TerminalText",
            ]),
        tests(
            "LockstepSimulator",
            ["LockstepRuntime", "LockstepProtocol", "RunRecords", "TrainingPlan"]),
        .testTarget(
            name: "ArchitectureTests", dependencies: ["TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestSupport", "LockstepProtocol", "LockstepRuntime", "LockstepSimulator",
                "NeuralNetwork", "TrainingPlan", "Datasets", "RunRecords", "Formats", "Hashing",
                "ZeroMQ",
                "CrashPoints", "lockstep",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "BenchTests",
            dependencies: ["TestSupport", "Datasets", "lockstep", "lockstep-bench"],
            swiftSettings: strict),
        // What we write, read by those whom it is written for: their parts are in Python.
        .testTarget(
            name: "ConsumerTests",
            dependencies: [
                "TestSupport", "RunRecords", "Formats", "Datasets", "NeuralNetwork",
                "TrainingPlan", "Hashing", "lockstep",
            ],
            exclude: [
                "keras_model.py", "kubernetes_manifest.py", "network.py", "npz_file.py",
                "onnx_file.py", "report_csv.py", "report_page.py",
                "report_figures.py", "report_logs.py", "safetensors_file.py", "study_claims.py",
                "study_figures.py", "study_hindrance.py", "study_outputs.py", "study_statistics.py",
                "tensorboard_events.py", "tensorboard_growth.py",
            ], swiftSettings: strict),
    ] + kernelVariants
)

/// The tests of one target, in the folder of its name.
func tests(_ target: String, _ more: [String] = []) -> Target {
    .testTarget(
        name: "\(target)Tests",
        dependencies: ([target, "TestSupport"] + more).map { .init(stringLiteral: $0) },
        swiftSettings: strict)
}
