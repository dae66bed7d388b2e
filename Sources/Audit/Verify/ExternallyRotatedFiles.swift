import Logging
import POSIX
import Time

/// The files of a log that somebody else has moved away and left beside it, as logrotate(8) does:
/// `app.log.1`, `app.log.2.gz`, `app.log-20261121`.
///
/// Theory. Names alone prove nothing: a copy, or another log, may be called so, too. A file belongs to
/// the log if its seals lead up to one that does, or on from it. One that was cut at an end leads
/// nowhere: with the name that a rotation gives it is still taken, so that the fault is found where
/// it is. In no case may its numbers meet those of another file of the log, as a copy's would. What is
/// wrongly left alone is missing in the log, so no change stays hidden by it. Where nothing has a
/// seal, the name and the content decide, and the time of the first line gives the place.
struct ExternallyRotatedFiles {
    private struct Candidate {
        let file: LogFile
        /// Nil for a file of the log without seals.
        let ends: SealRange?
        /// Its seals are of keys that are not known.
        let isForeign: Bool

        init(_ file: LogFile, keyIDs: [String]?) {
            self.file = file
            let known = SealRange(of: file, keyIDs: keyIDs)
            ends = keyIDs == nil ? known : known ?? SealRange(of: file, keyIDs: nil)
            isForeign = known == nil
        }

        /// Whether the seals of the one follow those of the other at once. What is under a key that is
        /// not known can stand before this, and not behind it.
        func isLinked(to other: Candidate) -> Bool {
            guard let ends, let others = other.ends else { return false }
            return others.precedes(to: ends) || !other.isForeign && ends.precedes(to: others)
        }

        func overlaps(_ other: Candidate) -> Bool {
            guard let ends, let others = other.ends else { return false }
            return ends.sequences.overlaps(others.sequences)
        }
    }

    /// The log's own files and those that were taken, in the order of their seals.
    private(set) var all: [LogFile]
    private(set) var notes: [String] = []
    /// Nothing has been moved while this looked.
    private(set) var isStable = true

    /// - Parameters:
    ///   - access: how they are opened.
    ///   - paths: files beside the log whose names begin with its name.
    ///   - full: the log's full files, in their order.
    ///   - current: the one that is being written.
    ///   - reach: the number that the state file has.
    ///   - keyIDs: of the keys that are known; nil to take any for known.
    init(
        of log: String, _ access: LogAccess, among paths: [String], full: [LogFile],
        current: LogFile?, reach: UInt64?,
        keyIDs: [String]?
    ) {
        all = full + [current].compactMap(\.self)
        var candidates: [Candidate] = []
        var left: [String] = []
        var links: [String] = []
        var unsealed: [LogFile] = []
        for path in paths {
            do throws(ReadingError) {
                let file = try LogFile(path, access)
                let isKnown = (all + candidates.map(\.file)).contains { $0.isSameFile(as: file) }
                if isKnown { continue }
                let part = Candidate(file, keyIDs: keyIDs)
                if part.ends != nil {
                    candidates.append(part)
                } else if Self.isRotation(path, of: log), FirstLine.time(of: file) != nil {
                    unsealed.append(file)
                } else {
                    left.append(path)
                }
            } catch {
                switch error {
                case .link: links.append(path)
                case _ where error.isNotThere: isStable = false
                default: left.append(path)
                }
            }
        }
        if !candidates.isEmpty {
            let own = all.map { Candidate($0, keyIDs: keyIDs) }
            let first = current == nil ? nil : own.last?.ends?.sequences.lowerBound
            // What is behind the file that is being written was never moved away from here.
            let limit = first ?? reach.map { $0 &+ 1 } ?? .max
            let moved = Self.take(from: &candidates, own, of: log, before: limit)
            isStable = isStable && moved.allSatisfy { $0.file.isAt($0.file.path, access) }
            all = Self.order(own, moved, hasCurrent: current != nil)
            left += candidates.map(\.file.path)
        }
        if !unsealed.isEmpty {
            if candidates.isEmpty, all.allSatisfy({ Candidate($0, keyIDs: keyIDs).ends == nil }) {
                isStable = isStable && unsealed.allSatisfy { $0.isAt($0.path, access) }
                all = Self.orderByTime(unsealed + full, current)
            } else {
                left = (left + unsealed.map(\.path)).sorted()
            }
        }
        if !links.isEmpty { notes.append("symbolic links are not followed: \(Self.list(links))") }
        if !left.isEmpty {
            notes.append(
                "left alone, with no seals that are missing in this log: \(Self.list(left))")
        }
    }

    /// The first names of the paths, and how many there are more.
    private static func list(_ paths: [String]) -> String {
        paths.prefix(3).map { LogFileNames.base(of: $0) }.joined(separator: ", ")
            + (paths.count > 3 ? " and \(paths.count - 3) more" : "")
    }

    private static func take(
        from candidates: inout [Candidate], _ own: [Candidate], of log: String, before limit: UInt64
    ) -> [Candidate] {
        var taken = own
        func next(_ isWanted: (Candidate) -> Bool) -> Int? {
            candidates.firstIndex { part in
                !taken.contains(where: { $0.overlaps(part) }) && isWanted(part)
            }
        }
        while let index = next({ part in taken.contains { $0.isLinked(to: part) } })
            ?? next({ part in
                !part.isForeign && isRotation(part.file.path, of: log)
                    && part.ends?.sequences.upperBound ?? 0 < limit
            })
        {
            taken.append(candidates.remove(at: index))
        }
        return Array(taken[own.count...])
    }

    /// `.1` or `-20261121` behind the log's name, packed or not.
    private static func isRotation(_ path: String, of log: String) -> Bool {
        let rest = LogFiles.unpacked(path).utf8.dropFirst(log.utf8.count + 1)
        return !rest.isEmpty && rest.allSatisfy { $0 &- 0x30 < 10 || $0 == UInt8(ascii: "-") }
    }

    /// By the times of their first lines; the one that is being written is the last.
    private static func orderByTime(_ files: [LogFile], _ current: LogFile?) -> [LogFile] {
        let keyed = files.enumerated().map { index, file in
            (time: FirstLine.time(of: file)?.milliseconds ?? 0, index: index, file: file)
        }
        return keyed.sorted { ($0.time, $0.index) < ($1.time, $1.index) }.map(\.file)
            + [current].compactMap(\.self)
    }

    /// By their first seals. One without any stays behind the one before it, and the one that is being
    /// written is the last.
    private static func order(_ own: [Candidate], _ moved: [Candidate], hasCurrent: Bool)
        -> [LogFile]
    {
        var before: UInt64 = 0
        var keyed: [(sequence: UInt64, index: Int, file: LogFile)] = []
        for (index, part) in own.enumerated() {
            let isCurrent = hasCurrent && index == own.count - 1
            before = part.ends?.sequences.lowerBound ?? (isCurrent ? .max : before)
            keyed.append((before, index, part.file))
        }
        for part in moved { keyed.append((part.ends?.sequences.lowerBound ?? 0, -1, part.file)) }
        return keyed.sorted { ($0.sequence, $0.index) < ($1.sequence, $1.index) }.map(\.file)
    }
}
