import Foundation

/// The tables that `bench` prints.
enum Report {
    static func table(_ benchmarks: [Benchmark], tokenBlocks: Int, withInstructions: Bool) {
        print(row("operation", "ns", "allocations", withInstructions ? "instructions" : ""))
        for benchmark in benchmarks {
            let figures = benchmark.measure()
            print(
                row(
                    benchmark.name, String(format: "%.1f", figures.nanoseconds),
                    String(format: "%.2f", figures.allocations),
                    withInstructions ? instructions(benchmark) : ""))
        }
        guard let block = benchmarks.first, block.name.hasPrefix("SHA-256") else { return }
        print("\nthe token's signature takes \(tokenBlocks) blocks of SHA-256; measured in turn:")
        for benchmark in benchmarks where benchmark.name.hasPrefix("H") {
            let ratio = benchmark.ratio(to: tokenBlocks, of: block)
            print("\(benchmark.name): \(String(format: "%.2f", ratio)) times their cost")
        }
        for benchmark in benchmarks where benchmark.name.hasPrefix("PBKDF2") {
            let ratio = benchmark.ratio(to: 1, of: block)
            print("\(benchmark.name): \(String(format: "%.2f", ratio)) times one block")
        }
    }

    /// Prints the allocations of each operation.
    /// - Returns: The exit code: 1 if any operation exceeds its budget.
    static func checkAllocations(_ benchmarks: [Benchmark]) -> Int32 {
        var failed: Int32 = 0
        for benchmark in benchmarks {
            let allocations = benchmark.allocationsPerRun()
            // A commit may occasionally rotate a file.
            let isOver = allocations > Double(benchmark.allocationBudget) + 0.05
            print(
                row(
                    benchmark.name, "", String(format: "%.2f", allocations),
                    isOver ? "OVER its budget of \(benchmark.allocationBudget)" : "ok"))
            if isOver { failed = 1 }
        }
        return failed
    }

    private static func row(_ name: String, _ a: String, _ b: String, _ c: String) -> String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return "\(left(name, 50))\(right(a, 10))\(right(b, 14))  \(c)"
    }

    /// Instructions of one operation: the difference between two runs under callgrind, so that the
    /// cost of the start cancels out.
    private static func instructions(_ benchmark: Benchmark) -> String {
        guard let few = total(benchmark, 2000), let many = total(benchmark, 4000) else {
            return "-"
        }
        return "\((many - few) / 2000)"
    }

    private static func total(_ benchmark: Benchmark, _ count: Int) -> Int? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            CommandLine.arguments[0], "--only", benchmark.name, "--count", "\(count)",
        ]
        let output = Pipe()
        process.standardError = output
        process.standardOutput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard let line = text.split(separator: "\n").first(where: { $0.contains("Collected") })
        else { return nil }
        return line.split(separator: " ").last.flatMap { Int($0) }
    }
}
