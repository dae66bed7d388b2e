// swift-tools-version: 6.3
import PackageDescription

/// Every target: nothing implicit, nothing unsafe without the word, no warning left standing.
/// `Lifetimes` lets our own types hand out a `Span` of what they own; without it the alternatives
/// are copies or raw pointers.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// Tests read better without `unsafe` at every expectation macro; the rest of the rules hold.
let strictTests: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

func room(
    _ name: String, _ lower: [Target.Dependency] = [], _ more: [SwiftSetting] = []
) -> Target {
    .target(name: name, dependencies: lower, swiftSettings: strict + more)
}

/// A worker's state is reached on its queue alone, and the log's file by whoever has the write turn; no
/// access to either overlaps another. Debug builds, and so the tests, check that at run time, and
/// release builds do not pay for it.
let confined: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// One target is compiled for a processor with SHA instructions; whether this one has them is asked
/// before any of its code runs.
#if arch(x86_64)
    let withSHAInstructions: [SwiftSetting] = [
        .unsafeFlags(["-Xcc", "-msha", "-Xcc", "-mssse3", "-Xcc", "-msse4.1"])
    ]
#else
    let withSHAInstructions: [SwiftSetting] = []
#endif

func program(
    _ name: String, _ lower: [Target.Dependency], _ linker: [LinkerSetting] = []
) -> Target {
    .executableTarget(
        name: name, dependencies: lower, swiftSettings: strict, linkerSettings: linker)
}

/// - Parameter data: a folder of files that the tests read, and the compiler does not.
func tests(_ name: String, _ lower: [Target.Dependency], data: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: lower + ["TestSupport"], exclude: data,
        swiftSettings: strictTests)
}

/// What the rules of Tests/FuzzTargets are about.
let fuzzed = [
    "App", "Audit", "Auth", "Crypto", "HTTP", "JSON", "JWT", "Logging", "POSIX", "Revocation",
    "Server", "Time",
    "TestSupport",
]

let package = Package(
    name: "gatehouse",
    dependencies: [],
    targets: [
        // Layer 0: values and arithmetic.
        room("Time"),
        room("SHAInstructions", [], withSHAInstructions),
        room("Crypto", ["SHAInstructions"]),
        room("JSON"),
        room("POSIX"),
        room("Metrics"),
        .systemLibrary(name: "CEpoll"),
        // Layer 1: protocol, tokens, events to disk, what is good no longer.
        room("HTTP", ["POSIX"]),
        room("JWT", ["Time", "Crypto", "JSON"]),
        room("Logging", ["Time", "Crypto", "POSIX"], confined),
        room("Revocation", ["Time", "Crypto", "POSIX"]),
        // Layer 2: sockets and Dispatch; who may do what; what the log says, and whether it is whole.
        room("Server", ["HTTP", "Time", "POSIX", "CEpoll"], confined),
        room(
            "Auth",
            [
                "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto", "POSIX", "Metrics",
                "Time",
            ]),
        room("Audit", ["Logging", "JSON", "Crypto", "POSIX", "Time"]),
        // Layer 3: the composition root.
        room(
            "App",
            [
                "Auth", "Server", "Audit", "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto",
                "POSIX", "Metrics", "Time",
            ]),
        // Layer 4: executables, a few lines each.
        program("gatehouse", ["App", "POSIX"]),
        program(
            "bench",
            [
                "Auth", "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto", "POSIX",
                "Metrics", "Time",
            ],
            // The bench counts allocations by standing in front of malloc.
            [.unsafeFlags(["-use-ld=lld", "-Xlinker", "--defsym=malloc=counted_malloc"])]),

        .target(
            name: "TestSupport", dependencies: ["POSIX"], path: "Tests/TestSupport",
            swiftSettings: strictTests),
        .target(
            name: "FuzzTargets", dependencies: fuzzed.map { .init(stringLiteral: $0) },
            path: "Tests/FuzzTargets", swiftSettings: strictTests),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], exclude: ["Corpus"],
            swiftSettings: strictTests),
        tests("TimeTests", ["Time"]),
        tests("CryptoTests", ["Crypto", "SHAInstructions"], data: ["Vectors"]),
        tests("JSONTests", ["JSON"]),
        tests("POSIXTests", ["POSIX"]),
        tests("HTTPTests", ["HTTP", "POSIX", "Time"]),
        tests("JWTTests", ["JWT", "Crypto", "Time"], data: ["Vectors"]),
        tests("LoggingTests", ["Logging", "Crypto", "POSIX", "Time"]),
        tests("ServerTests", ["Server", "HTTP", "POSIX", "Time"]),
        tests("MetricsTests", ["Metrics"]),
        tests("RevocationTests", ["Revocation", "Crypto", "POSIX", "Time"]),
        tests(
            "AuthTests",
            [
                "Auth", "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto", "POSIX",
                "Metrics", "Time",
            ]),
        tests("AuditTests", ["Audit", "Logging", "JSON", "Crypto", "POSIX", "Time"]),
        tests(
            "AppTests",
            [
                "App", "gatehouse", "Auth", "Server", "HTTP", "JWT", "Logging", "Revocation",
                "JSON", "Crypto", "POSIX", "Metrics", "Time",
            ]),
    ]
)

// Only where it is asked for (Tests/Scripts/fuzz.py): it links with libFuzzer alone, which has the
// entry point.
if Context.environment["GATEHOUSE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/FuzzProgram",
            swiftSettings: strictTests + [.unsafeFlags(["-parse-as-library"])]))
}
