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
    /// It has more entries in force than there may be.
    case tooMany

    /// For the operator: what is wrong, and what to do. The path is the caller's to name.
    package var sentence: String {
        switch self {
        case .failed(let error): "cannot be used: \(error.words)"
        case .inUse(let process):
            "is in use by another process" + (process.map { " (\($0))" } ?? "")
        case .notAJournal: "is no journal of revocations that this version can read"
        case .damaged(let byte):
            "is damaged at byte \(byte), and what was revoked there would be forgotten; put back a copy, "
                + "or remove the file and change the keys"
        case .tooMany: "has more entries in force than fit"
        }
    }
}
