import JSON
import POSIX

/// Why the users cannot be read or changed.
package enum UsersFileError: Error, Equatable {
    case cannotRead(Errno)
    /// A folder, a pipe or a device.
    case notRegular
    /// A symbolic link, where the file is to be written.
    case isLink
    /// Another account could change the file, or put another in its place.
    case untrusted([PathFault])
    /// The folder, in which a change makes files, cannot be written.
    case folderNotWritable(Errno)
    /// UTF-16, or UTF-8 with a byte order mark.
    case encoding(TextEncoding)
    /// What is there is as it was, but for an error of the folder's synchronisation, after which the new
    /// users are there and may not outlive a power cut.
    case cannotWrite(Errno)
    /// The file is somebody else's, and what was written would not be.
    case wouldChangeOwner
    /// Somebody else changes it right now.
    case inUse
    case tooLarge
    case tooManyUsers
    /// Not JSON; the line, from 1, and why.
    case notJSON(line: Int, JSONError.Reason)
    /// At least one; the first hundred.
    case invalid([UsersFileProblem])

    /// What an operator reads, one sentence a problem, each with its place. No password or hash is in
    /// any of them.
    package func sentences(_ path: String) -> [String] {
        switch self {
        case .cannotRead(let error): ["\(path): the users cannot be read: \(error.description)"]
        case .notRegular:
            ["\(path): is not a regular file; write a file, not a folder, a pipe or a device"]
        case .cannotWrite(let error): ["\(path): the users cannot be written: \(error.description)"]
        case .isLink:
            ["\(path): is a symbolic link, and is not written; name the file that it leads to"]
        case .untrusted(let faults): faults.map { "\(path): \($0.sentence)" }
        case .folderNotWritable(let error):
            [
                "\(path): its folder cannot be written: \(error.description); a change needs a lock and a "
                    + "new file there: if the file is mounted alone, mount its folder instead"
            ]
        case .encoding(let encoding): ["\(path): \(encoding.sentence)"]
        case .wouldChangeOwner:
            ["\(path): belongs to another user; run this as that user or as the superuser"]
        case .inUse: ["\(path): is being changed by another process; try again"]
        case .tooLarge: ["\(path): is larger than \(UsersFile.maximumSize >> 20) MiB"]
        case .tooManyUsers: ["\(path): has more than \(UsersFile.maximumUsers) users"]
        case .notJSON(let line, let reason): ["\(path):\(line): \(Self.words(reason))"]
        case .invalid(let problems): problems.map { "\(path): \($0)" }
        }
    }

    private static func words(_ reason: JSONError.Reason) -> String {
        switch reason {
        case .unexpectedEnd: "the file ends too early"
        case .duplicateName: "a name that is there twice"
        case .trailingBytes: "something follows the object"
        case .invalidUTF8: "not UTF-8"
        case .invalidEscape: "a backslash that begins no escape"
        case .loneSurrogate: "half of a surrogate pair"
        case .numberOutOfRange: "a number that is too large"
        case .tooDeep, .tooManyNames: "nothing that users are written like"
        case .unexpectedByte, .notAnInteger, .wrongType: "not JSON"
        }
    }
}

/// Something wrong in a users file: where, as in `users[3].username`, and what.
package struct UsersFileProblem: Equatable, Sendable, CustomStringConvertible {
    package let place: String
    package let message: String

    package var description: String { place.isEmpty ? message : "\(place): \(message)" }
}
