import Foundation

/// Measures the hot paths: `swift run -c release bench`.
///
///   --check           allocations only; exit code 1 if one exceeds its budget (for CI)
///   --instructions    instructions too, by running each under valgrind (slow)
///   --only TEXT       only operations whose name contains TEXT
///   --log             only lines a second from several threads
///   --count N         only N operations of each: for profilers

let arguments = Array(CommandLine.arguments.dropFirst())

func value(of option: String) -> String? {
    guard let index = arguments.firstIndex(of: option), index + 1 < arguments.count else {
        return nil
    }
    return arguments[index + 1]
}

let fixtures = Fixtures()
let revocations = RevocationFixtures()
let logins = LoginFixtures(folder: fixtures.folder)
let chosen = (fixtures.all + revocations.all + logins.all).filter { benchmark in
    value(of: "--only").map { benchmark.name.contains($0) } ?? true
}

if arguments.contains("--log") {
    try LogThroughput(folder: fixtures.folder, claims: fixtures.claims).report()
} else if let count = value(of: "--count").flatMap(Int.init) {
    for benchmark in chosen { benchmark.run(count) }
} else if arguments.contains("--check") {
    guard Allocations.areCounted else {
        print("allocations cannot be counted on this system")
        exit(1)
    }
    exit(Report.checkAllocations(chosen))
} else {
    Report.table(
        chosen, tokenBlocks: fixtures.tokenBlocks,
        withInstructions: arguments.contains("--instructions"))
    if chosen.contains(where: { $0.name.hasPrefix("revocation") }) { print(revocations.report) }
    if value(of: "--only") == nil {
        try LogThroughput(folder: fixtures.folder, claims: fixtures.claims).report()
    }
}
fixtures.removeLogs()
