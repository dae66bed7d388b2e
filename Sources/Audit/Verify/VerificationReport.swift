import Logging

/// The result of a verification as plain values. The strings are not escaped for a terminal.
package struct VerificationReport: Sendable, Equatable {
    package enum Outcome: String, Sendable {
        /// Every line is covered by a seal, and every seal is valid.
        case intact
        case tampered
        /// Intact, but no seal covers the lines after the last one. A running server seals them
        /// within seconds; after a kill, the next start seals them.
        case unsealed
        /// Intact, but nothing shows who wrote some of the lines: a start found them after the last
        /// seal of a server that was killed.
        case notProven
        /// Intact, but nothing shows whether lines are missing after the last seal: no state file
        /// of these keys exists, and no anchor is equal to the head.
        case endNotProven
        /// All seals are of keys that were not given, so nothing can be verified.
        case wrongKey
        /// Lines at the beginning or the end of the log are sealed with keys that were not given.
        /// The rest shows no fault.
        case unknownKey
        /// The log contains no seal.
        case neverSealed
        /// Some files could not be read. The rest shows no fault.
        case unreadable

        /// The exit code of `log verify`.
        package var exitCode: Int32 {
            switch self {
            case .intact: 0
            case .tampered: 1
            case .wrongKey, .unknownKey, .neverSealed, .unreadable: 2
            case .unsealed, .notProven, .endNotProven: 3
            }
        }
    }

    /// A line in a file. The line counts from 1; it is 0 if the place is the file as a whole.
    package struct Place: Sendable, Equatable {
        package let file: String
        package let line: Int
    }

    package struct Fault: Sendable, Equatable {
        package enum Kind: String, Sendable, CaseIterable {
            case edited
            case reordered
            case deleted
            case inserted
            case missingFile = "missing file"
            case truncated
            case missingTail = "missing tail"
            /// Not tampering by itself: a process that is killed leaves a torn line.
            case tornLine = "torn line"
            /// Not known to be tampering: the lines cannot be checked without the key.
            case wrongKey = "wrong key"
            case anchorMismatch = "anchor mismatch"
            /// A file that a server moved aside because no server wrote it.
            case foreign
            /// Lines that a start found and sealed. A server that was killed wrote them, or another
            /// process.
            case notProven = "not proven"

            /// Whether this fault means that the log was changed.
            package var isTampering: Bool {
                self != .tornLine && self != .wrongKey && self != .notProven
            }
        }

        package let kind: Kind
        package let first: Place
        package let last: Place
        /// The sequence numbers of the affected seals.
        package let seals: ClosedRange<UInt64>?
        package let sentence: String
    }

    package struct File: Sendable, Equatable {
        package let name: String
        package internal(set) var lineCount = 0
        package internal(set) var sealCount = 0
    }

    package internal(set) var outcome = Outcome.intact
    /// Sorted by their place in the log; at most `mostFaults`.
    package internal(set) var faults: [Fault] = []
    /// The number of faults that are not in `faults`.
    package internal(set) var unlistedFaultCount = 0
    /// What could not be read, and why.
    package internal(set) var problems: [String] = []
    package internal(set) var notes: [String] = []
    package internal(set) var files: [File] = []
    package internal(set) var lineCount = 0
    /// The number of seals with a correct code.
    package internal(set) var sealCount = 0
    /// The sequence number of the first of them.
    package internal(set) var firstSequence: UInt64?
    /// The seal with the highest sequence number. Stored elsewhere, it serves as an anchor for a
    /// later verification.
    package internal(set) var head: SealHead?
    /// The times of the first and the last of these seals.
    package internal(set) var from: String?
    package internal(set) var to: String?

    /// The limit for `faults`: a log may consist of faults, and a longer list is of no use.
    package static let mostFaults = 1000
}
