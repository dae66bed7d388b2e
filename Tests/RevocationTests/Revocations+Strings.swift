import Glibc
import POSIX
import Revocation
import TestSupport
import Testing
import Time

let noon = Timestamp(seconds: 1_800_000_000)
let evening = noon + .seconds(6 * 3600)
let midnight = noon + .seconds(12 * 3600)

func minutes(_ count: Int64) -> Timestamp { noon + .seconds(count * 60) }

/// Lets tests write identifiers as strings.
extension Revocations {
    func finding(
        token: String? = nil, session: String? = nil, user: Int64 = 1,
        began: Timestamp? = noon
    ) -> RevocationStatus? {
        let tokenBytes = token.map { Array($0.utf8) }
        let sessionBytes = session.map { Array($0.utf8) }
        return finding(
            token: tokenBytes?.span, session: sessionBytes?.span, user: user, began: began)
    }

    func spend(
        _ token: String, at now: Timestamp, expires: Timestamp = midnight
    ) throws(Errno) -> Timestamp {
        let bytes = Array(token.utf8)
        return try spend(token: bytes.span, expires: expires, at: now)
    }

    func revoke(
        _ subject: RevocationSubject, at moment: Timestamp, until: Timestamp = midnight
    ) throws(Errno) {
        try revoke([subject], at: moment, until: until)
    }
}

extension RevocationSubject {
    static func token(_ text: String) -> RevocationSubject { .token(Array(text.utf8)) }
    static func session(_ text: String) -> RevocationSubject { .session(Array(text.utf8)) }
}

/// Does not wait for the disk. Sufficient where only processes die.
var unsynced: FileSystemDouble {
    FileSystemDouble { operation, _ in operation == .synchronize ? .skipped : .done }
}

extension TemporaryFolder {
    var journal: String { path("revocations.journal") }

    func revocations(
        at now: Timestamp = noon, fileSystem: any FileSystem = SystemFileSystem()
    ) throws(RevocationsError) -> Revocations {
        // A child process that another test is starting has inherited our descriptors, and with
        // them the lock of a closed journal, until it executes its own program.
        for _ in 0..<200 {
            do throws(RevocationsError) {
                return try Revocations(path: journal, at: now, fileSystem: fileSystem)
            } catch {
                guard case .inUse = error else { throw error }
                usleep(5000)
            }
        }
        return try Revocations(path: journal, at: now, fileSystem: fileSystem)
    }

    /// As `revocations`, after the previous user has released the journal.
    func reopened(at now: Timestamp = noon) throws -> Revocations {
        var table: Revocations?
        #expect(
            try eventually {
                do throws(RevocationsError) {
                    table = try revocations(at: now)
                } catch {
                    guard case .inUse = error else { throw error }
                }
                return table != nil
            })
        return try #require(table)
    }
}
