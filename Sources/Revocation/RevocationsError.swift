import POSIX

/// Why the revocations cannot be read at the start.
package enum RevocationsError: Error, Equatable {
    case failed(Errno)
    /// Another process has locked the journal; its process ID, if known.
    case inUse(by: Int32?)
    /// The file is not a journal, or it was written by a later version.
    case notAJournal
    /// The journal is damaged before its last write, so acknowledged records may be missing.
    case damaged(atByte: Int)
    /// The journal does not exist, and its state names this many records.
    case gone(records: Int)
    /// The journal ends before the last record that its state names.
    case cut(records: Int, of: Int)
    /// The journal is another file, or has other records, than its state names.
    case exchanged
    /// The journal requires a state file, and there is no readable one.
    case stateMissing
    /// The journal has more entries in force than the limit.
    case tooMany

    /// Acknowledged records are or may be missing: no process may continue with such a journal
    /// unless all sessions are ended.
    package var isLoss: Bool {
        switch self {
        case .gone, .cut, .exchanged, .stateMissing: true
        default: false
        }
    }

    private static let remedy =
        "restore the file and its state file, or accept the loss and end all sessions: "
        + "gatehouse revoke --all --accept-short-journal"

    /// For the operator: what is wrong and what to do. The caller puts the path in front.
    package var sentence: String {
        switch self {
        case .failed(let error): "cannot be used: \(error.description)"
        case .inUse(let process):
            "is in use by another process" + (process.map { " (\($0))" } ?? "")
        case .notAJournal: "is not a revocation journal that this version can read"
        case .damaged(let byte):
            "is damaged at byte \(byte), so revocations may be lost; restore a copy, "
                + "or remove the file and end all sessions: "
                + "gatehouse revoke --all --accept-short-journal"
        case .gone(let records):
            "does not exist, although \(records) records were written to it; \(Self.remedy)"
        case .cut(let records, let expected):
            "ends after \(records) of \(expected) records, so revocations would be lost; "
                + Self.remedy
        case .exchanged:
            "does not contain the records that were written last, so revocations would be lost; "
                + Self.remedy
        case .stateMissing:
            "has no readable state file, so missing records cannot be detected; \(Self.remedy)"
        case .tooMany: "has more entries in force than the server supports"
        }
    }
}
