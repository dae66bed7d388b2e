import POSIX

/// Why the revocations cannot be read at the start.
package enum RevocationsError: Error, Equatable {
    case failed(Errno)
    /// Another process has the journal; its number, if it can be told.
    case inUse(by: Int32?)
    /// There is something else where the journal should be, or one of a later version.
    case notAJournal
    /// The journal is damaged where it was on the disk already, so that it cannot be told what is
    /// missing.
    case damaged(atByte: Int)
    /// It is not there, and its state says that this many records were written to it.
    case gone(records: Int)
    /// It ends before the last record that its state names.
    case cut(records: Int, of: Int)
    /// It is another file, or has other records, than its state names.
    case exchanged
    /// It says that there is a state, and there is none that can be read.
    case stateMissing
    /// It has more entries in force than there may be.
    case tooMany

    /// Records that were written are missing, or may be: no process may go on with such a journal unless
    /// all sessions end.
    package var isLoss: Bool {
        switch self {
        case .gone, .cut, .exchanged, .stateMissing: true
        default: false
        }
    }

    private static let remedy =
        "put the file and its state back, or accept it as it is and end all sessions: "
        + "gatehouse revoke --all --accept-short-journal"

    /// For the operator: what is wrong, and what to do. The path is the caller's to name.
    package var sentence: String {
        switch self {
        case .failed(let error): "cannot be used: \(error.description)"
        case .inUse(let process):
            "is in use by another process" + (process.map { " (\($0))" } ?? "")
        case .notAJournal: "is no journal of revocations that this version can read"
        case .damaged(let byte):
            "is damaged at byte \(byte), and what was revoked there would be forgotten; put back a copy, "
                + "or remove the file and end all sessions: "
                + "gatehouse revoke --all --accept-short-journal"
        case .gone(let records):
            "is not there, and \(records) records were written to it; \(Self.remedy)"
        case .cut(let records, let expected):
            "ends after \(records) records of \(expected), and what was revoked in the others would "
                + "be forgotten; \(Self.remedy)"
        case .exchanged:
            "has not the content that was written last, and what was revoked since would be "
                + "forgotten; \(Self.remedy)"
        case .stateMissing:
            "has lost its state file, so that it cannot be told whether records are missing; "
                + Self.remedy
        case .tooMany: "has more entries in force than fit"
        }
    }
}
