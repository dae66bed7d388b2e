import JSON
import POSIX

/// Why the users file cannot be read or changed.
package enum UsersFileError: Error, Equatable {
    case cannotRead(Errno)
    /// A directory, a pipe or a device.
    case notRegular
    /// A symbolic link, which is not followed for writing.
    case isLink
    /// Another account could change the file or replace it.
    case untrusted([PathFault])
    /// The directory, where a change creates files, is not writable.
    case folderNotWritable(Errno)
    /// UTF-16, or UTF-8 with a byte order mark.
    case encoding(TextEncoding)
    /// The old file is unchanged. Exception: if only fsync of the directory failed, the new file is
    /// in place but may not survive a power failure.
    case cannotWrite(Errno)
    /// The file belongs to another account, and the new file would belong to this one.
    case wouldChangeOwner
    /// Another process is changing the file.
    case inUse
    case tooLarge
    case tooManyUsers
    /// Not JSON: the line, counted from 1, and the reason.
    case notJSON(line: Int, JSONError.Reason)
    /// At least one problem; at most the first hundred.
    case invalid([UsersFileProblem])

    /// The messages for an operator, one per problem, each with its place. They contain no password
    /// and no hash.
    package func messages(_ path: String) -> [String] {
        switch self {
        case .cannotRead(let error): ["\(path): the users cannot be read: \(error.description)"]
        case .notRegular:
            ["\(path): is not a regular file; write a file, not a folder, a pipe or a device"]
        case .cannotWrite(let error): ["\(path): the users cannot be written: \(error.description)"]
        case .isLink:
            ["\(path): is a symbolic link, which is not written; give the path of its target"]
        case .untrusted(let faults): faults.map { "\(path): \($0.message)" }
        case .folderNotWritable(let error):
            [
                "\(path): its folder cannot be written: \(error.description); a change creates a "
                    + "lock and a new file there: if only the file is mounted, mount its folder"
            ]
        case .encoding(let encoding): ["\(path): \(encoding.message)"]
        case .wouldChangeOwner:
            ["\(path): belongs to another user; run this as that user or as the superuser"]
        case .inUse: ["\(path): is being changed by another process; try again"]
        case .tooLarge: ["\(path): is larger than \(UsersFile.maximumSize >> 20) MiB"]
        case .tooManyUsers: ["\(path): has more than \(UsersFile.maximumUsers) users"]
        case .notJSON(let line, let reason): ["\(path):\(line): \(Self.text(reason))"]
        case .invalid(let problems): problems.map { "\(path): \($0)" }
        }
    }

    private static func text(_ reason: JSONError.Reason) -> String {
        switch reason {
        case .unexpectedEnd: "the file ends too early"
        case .duplicateName: "duplicate name"
        case .trailingBytes: "unexpected content after the object"
        case .invalidUTF8: "not UTF-8"
        case .invalidEscape: "invalid escape sequence"
        case .loneSurrogate: "unpaired surrogate"
        case .numberOutOfRange: "number out of range"
        case .tooDeep, .tooManyNames: "too deeply nested, or too many names"
        case .unexpectedByte, .notAnInteger, .wrongType: "not JSON"
        }
    }
}

/// A problem in a users file: its place, such as `users[3].username`, and what is wrong.
package struct UsersFileProblem: Equatable, Sendable, CustomStringConvertible {
    package let place: String
    package let message: String

    package var description: String { place.isEmpty ? message : "\(place): \(message)" }
}
