// swift-tools-version: 6.3
import PackageDescription

/// The settings of every target: `unsafe` must be written out, and warnings are errors.
/// `Lifetimes` lets a type return a `Span` of its storage; the alternatives are copies or raw
/// pointers.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// As `strict`, without strict memory safety: it would require `unsafe` at every expectation macro.
let strictTests: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [],
    _ settings: [SwiftSetting] = []
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + settings)
}

/// A worker's state is accessed only on its queue, and the log's file only by the thread that holds
/// the write turn, so no two accesses overlap. Debug builds, and so the tests, check this at run
/// time; release builds skip the check.
let confined: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// One target is compiled for processors with SHA instructions. Callers check that the processor
/// has them before it runs any of that code.
#if arch(x86_64)
    let withSHAInstructions: [SwiftSetting] = [
        .unsafeFlags(["-Xcc", "-msha", "-Xcc", "-mssse3", "-Xcc", "-msse4.1"])
    ]
#else
    let withSHAInstructions: [SwiftSetting] = []
#endif

/// The commit of a release: `GATEHOUSE_COMMIT=$(git rev-parse HEAD) swift build -c release`. It
/// comes from the environment and not from `Context.gitInformation`, because SwiftPM caches the
/// evaluated manifest and would report the commit of an earlier build.
var commit: [CSetting] = []
if let text = Context.environment["GATEHOUSE_COMMIT"], text.allSatisfy(\.isHexDigit) {
    commit = [.define("GATEHOUSE_COMMIT", to: "\"\(text)\"")]
}

func executable(
    _ name: String, _ dependencies: [Target.Dependency], _ linker: [LinkerSetting] = []
) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, swiftSettings: strict, linkerSettings: linker)
}

/// - Parameter data: folders that the tests read at run time and the compiler must ignore.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], data: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: data,
        swiftSettings: strictTests)
}

/// The targets whose properties Tests/FuzzTargets checks.
let fuzzedTargets = [
    "App", "Audit", "Auth", "Crypto", "HTTP", "JSON", "JWT", "Logging", "POSIX", "Revocation",
    "Server", "Time",
    "TestSupport",
]

let package = Package(
    name: "gatehouse",
    dependencies: [],
    targets: [
        // Layer 0: values and arithmetic.
        library("Time"),
        library("SHAInstructions", [], withSHAInstructions),
        library("Crypto", ["SHAInstructions"]),
        library("JSON"),
        library("POSIX"),
        library("Metrics"),
        .systemLibrary(name: "CEpoll"),
        .target(name: "Manual", resources: [.embedInCode("Pages")], swiftSettings: strict),
        .systemLibrary(name: "CBuildInfo"),
        .target(
            name: "BuildInfo", dependencies: ["CBuildInfo"], cSettings: commit,
            swiftSettings: strict),
        // Layer 1: protocol, tokens, events to disk, revocations.
        library("HTTP", ["POSIX"]),
        library("JWT", ["Time", "Crypto", "JSON"]),
        library("Logging", ["Time", "Crypto", "POSIX"], confined),
        library("Revocation", ["Time", "Crypto", "POSIX"]),
        // Layer 2: sockets and Dispatch; authentication; reading and verifying the log.
        library("Server", ["HTTP", "Time", "POSIX", "CEpoll"], confined),
        library(
            "Auth",
            [
                "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto", "POSIX", "Metrics",
                "Time",
            ]),
        library("Audit", ["Logging", "JSON", "Crypto", "POSIX", "Time"]),
        // Layer 3: the composition root.
        library(
            "App",
            [
                "Auth", "Server", "Audit", "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto",
                "POSIX", "Metrics", "Time", "Manual", "BuildInfo",
            ]),
        // Layer 4: executables, a few lines each.
        executable("gatehouse", ["App", "POSIX"]),
        executable(
            "bench",
            [
                "Auth", "HTTP", "JWT", "Logging", "Revocation", "JSON", "Crypto", "POSIX",
                "Metrics", "Time",
            ],
            // The bench counts allocations through a function that replaces malloc.
            [.unsafeFlags(["-use-ld=lld", "-Xlinker", "--defsym=malloc=counted_malloc"])]),

        .target(
            name: "TestSupport", dependencies: ["POSIX"], path: "Tests/TestSupport",
            swiftSettings: strictTests),
        .target(
            name: "FuzzTargets", dependencies: fuzzedTargets.map { .init(stringLiteral: $0) },
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
        tests("ManualTests", ["Manual"]),
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
                "JSON", "Crypto", "POSIX", "Metrics", "Time", "Manual",
            ]),
    ]
)

// Only on request (Tests/Scripts/fuzz.py): the target links only with libFuzzer, which has the
// entry point.
if Context.environment["GATEHOUSE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/FuzzProgram",
            swiftSettings: strictTests + [.unsafeFlags(["-parse-as-library"])]))
}
