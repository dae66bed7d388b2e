import Foundation
import Revocation
import Time

/// Lookups in revocation tables. Each lookup uses other identifiers, so that the result is not
/// always in the same cache line.
final class RevocationFixtures {
    private static let entries = 1_000_000
    /// Bytes of an identifier such as `jti` or `sid`: 128 bits in base64url.
    private static let size = 22
    private static let names = 1 << 15

    private let now = WallClock.system.now()
    private lazy var empty = table(entries: 0)
    private lazy var full = table(entries: Self.entries)
    /// Bytes by which the million entries made the process grow.
    private var growth = 0
    private lazy var identifiers: [UInt8] = {
        var generator = SystemRandomNumberGenerator()
        return (0..<(Self.names * Self.size)).map { _ in .random(in: 48...122, using: &generator) }
    }()

    var all: [Benchmark] {
        [
            Benchmark("revocation: look up, empty") { self.lookUp(in: self.empty, $0) },
            Benchmark("revocation: look up, a million entries") {
                self.lookUp(in: self.full, $0)
            },
        ]
    }

    private func lookUp(in table: Revocations, _ count: Int) {
        let bytes = identifiers.span
        for index in 0..<count {
            let token = (index & (Self.names - 1)) * Self.size
            let session = (index &* 31 & (Self.names - 1)) * Self.size
            let finding = table.finding(
                token: bytes.extracting(token..<token + Self.size),
                session: bytes.extracting(session..<session + Self.size),
                user: Int64(index), began: now)
            if finding != nil { fatalError("bench: found a revocation that was not made") }
        }
    }

    /// A table with the mix of a large installation: most entries are tokens that were exchanged.
    private func table(entries: Int) -> Revocations {
        let before = Self.residentBytes
        // Without a journal this can only fail for lack of memory.
        let table = try! Revocations(path: nil, at: now)
        let until = now + .seconds(86_400)
        for index in 0..<entries {
            let name = Array("entry \(index)".utf8)
            switch index % 100 {
            case 0: try! table.revoke([.user(Int64(-1 - index))], at: now, until: until)
            case 1..<30: try! table.revoke([.session(name)], at: now, until: until)
            case 30..<35: try! table.revoke([.token(name)], at: now, until: until)
            default: _ = try! table.spend(token: name.span, expires: until, at: now)
            }
        }
        growth = Self.residentBytes - before
        return table
    }

    /// The memory of the million entries.
    var report: String {
        _ = full.count
        let mebibytes = Double(growth) / Double(1 << 20)
        return "\na table of a million entries: \(String(format: "%.1f", mebibytes)) MiB resident"
    }

    /// The process's resident size in bytes (proc(5)).
    private static var residentBytes: Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
            return 0
        }
        let words = text.split(separator: " ")
        return (words.count > 1 ? Int(words[1]) ?? 0 : 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
