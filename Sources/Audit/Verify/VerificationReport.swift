import Logging

/// What a verification found, as values: nothing here has been prepared for a terminal.
package struct VerificationReport: Sendable, Equatable {
    package enum Outcome: String, Sendable {
        /// Everything is under a seal, and every seal is right.
        case intact
        case tampered
        /// Intact, but behind the last seal stand lines that none covers: a server that runs seals
        /// them in a moment, one that was killed at its next start.
        case unsealed
        /// Intact, but no process can tell who wrote some lines: a start found them behind the last
        /// seal of a server that was killed.
        case notProven
        /// Intact, but nothing tells whether lines are missing behind the last seal: there is no state
        /// file of these keys beside the log, and its head is no anchor that was given.
        case endNotProven
        /// There are seals, and all are of other keys: nothing can be said.
        case wrongKey
        /// Some lines are sealed with keys that were not given, at the log's beginning or its end;
        /// everything else is as it should be.
        case unknownKey
        /// There is no seal at all.
        case neverSealed
        /// Something could not be read, and what could shows no fault.
        case unreadable

        /// What the command exits with.
        package var exitCode: Int32 {
            switch self {
            case .intact: 0
            case .tampered: 1
            case .wrongKey, .unknownKey, .neverSealed, .unreadable: 2
            case .unsealed, .notProven, .endNotProven: 3
            }
        }
    }

    /// A line of a file; 0 where the file has none.
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
            /// No work of a stranger by itself: what a killed process leaves behind.
            case tornLine = "torn line"
            /// Nobody's work, as far as anybody can tell without the key.
            case wrongKey = "wrong key"
            case anchorMismatch = "anchor mismatch"
            /// A file that the server moved aside, because no server wrote it.
            case foreign
            /// Lines that a start found and sealed, written by a server that was killed or by
            /// others.
            case notProven = "not proven"

            /// Whether somebody has changed the log.
            package var isTampering: Bool {
                self != .tornLine && self != .wrongKey && self != .notProven
            }
        }

        package let kind: Kind
        package let first: Place
        package let last: Place
        /// The seals that the fault concerns.
        package let seals: ClosedRange<UInt64>?
        package let sentence: String
    }

    package struct File: Sendable, Equatable {
        package let name: String
        package internal(set) var lineCount = 0
        package internal(set) var sealCount = 0
    }

    package internal(set) var outcome = Outcome.intact
    /// In the order of the log; at most `mostFaults`.
    package internal(set) var faults: [Fault] = []
    /// Faults beyond those.
    package internal(set) var unlistedFaultCount = 0
    /// What could not be read.
    package internal(set) var problems: [String] = []
    package internal(set) var notes: [String] = []
    package internal(set) var files: [File] = []
    package internal(set) var lineCount = 0
    /// Seals that are right by themselves.
    package internal(set) var sealCount = 0
    /// The number of the first of them.
    package internal(set) var firstSequence: UInt64?
    /// The last of them: kept elsewhere, it is an anchor for the next time.
    package internal(set) var head: SealHead?
    /// When the first and the last of them were written.
    package internal(set) var from: String?
    package internal(set) var to: String?

    /// A log may consist of faults; nobody reads more than this.
    package static let mostFaults = 1000
}
