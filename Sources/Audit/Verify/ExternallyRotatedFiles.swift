import Logging
import POSIX
import Time

/// Files of a log that another program, such as logrotate(8), has moved away within the folder of
/// the log: `app.log.1`, `app.log.2.gz`, `app.log-20261121`.
///
/// Theory. A name alone proves nothing: a copy, or another log, may have such a name, too. A file
/// belongs to the log if its seals lead up to a file that does, or continue one. A file that was
/// truncated is linked to no other; it is still accepted if its name is that of a rotation, so that
/// the fault is reported where it is. A file whose sequence numbers overlap with those of another
/// file of the log, as a copy's do, is never accepted. A file that is ignored by mistake is missing
/// in the log, so ignoring cannot hide a change. If no file has a seal, the name and the content
/// decide, and the time of the first line determines the order.
struct ExternallyRotatedFiles {
    private struct Candidate {
        let file: LogFile
        /// Nil for a file of the log without seals.
        let ends: SealRange?
        /// All of its seals are of unknown keys.
        let isForeign: Bool

        init(_ file: LogFile, keyIDs: [String]?) {
            self.file = file
            let known = SealRange(of: file, keyIDs: keyIDs)
            ends = keyIDs == nil ? known : known ?? SealRange(of: file, keyIDs: nil)
            isForeign = known == nil
        }

        /// Whether the seals of one file directly follow those of the other. A file under an
        /// unknown key may precede this log's files, but not follow them.
        func isLinked(to other: Candidate) -> Bool {
            guard let ends, let others = other.ends else { return false }
            return others.precedes(to: ends) || !other.isForeign && ends.precedes(to: others)
        }

        func overlaps(_ other: Candidate) -> Bool {
            guard let ends, let others = other.ends else { return false }
            return ends.sequences.overlaps(others.sequences)
        }
    }

    /// The log's own files and the accepted ones, in the order of their seals.
    private(set) var all: [LogFile]
    private(set) var notes: [String] = []
    /// False if a file was moved or removed in the meantime.
    private(set) var isStable = true

    /// - Parameters:
    ///   - access: how the files are opened.
    ///   - paths: other files in the folder whose names begin with the log's name.
    ///   - full: the log's full files, in their order.
    ///   - current: the file that is being written.
    ///   - reach: the sequence number in the state file.
    ///   - keyIDs: the IDs of the known keys; nil to accept every key.
    init(
        of log: String, _ access: LogAccess, among paths: [String], full: [LogFile],
        current: LogFile?, reach: UInt64?,
        keyIDs: [String]?
    ) {
        all = full + [current].compactMap(\.self)
        var candidates: [Candidate] = []
        var ignored: [String] = []
        var links: [String] = []
        var unsealed: [LogFile] = []
        for path in paths {
            do throws(ReadingError) {
                let file = try LogFile(path, access)
                let isKnown = (all + candidates.map(\.file)).contains { $0.isSameFile(as: file) }
                if isKnown { continue }
                let candidate = Candidate(file, keyIDs: keyIDs)
                if candidate.ends != nil {
                    candidates.append(candidate)
                } else if Self.isRotation(path, of: log), FirstLine.time(of: file) != nil {
                    unsealed.append(file)
                } else {
                    ignored.append(path)
                }
            } catch {
                switch error {
                case .link: links.append(path)
                case _ where error.isNotThere: isStable = false
                default: ignored.append(path)
                }
            }
        }
        if !candidates.isEmpty {
            let own = all.map { Candidate($0, keyIDs: keyIDs) }
            let first = current == nil ? nil : own.last?.ends?.sequences.lowerBound
            // Files with seals newer than those of the current file were never part of this log.
            let limit = first ?? reach.map { $0 &+ 1 } ?? .max
            let moved = Self.take(from: &candidates, own, of: log, before: limit)
            isStable = isStable && moved.allSatisfy { $0.file.isAt($0.file.path, access) }
            all = Self.order(own, moved, hasCurrent: current != nil)
            ignored += candidates.map(\.file.path)
        }
        if !unsealed.isEmpty {
            if candidates.isEmpty, all.allSatisfy({ Candidate($0, keyIDs: keyIDs).ends == nil }) {
                isStable = isStable && unsealed.allSatisfy { $0.isAt($0.path, access) }
                all = Self.orderByTime(unsealed + full, current)
            } else {
                ignored = (ignored + unsealed.map(\.path)).sorted()
            }
        }
        if !links.isEmpty { notes.append("symbolic links are not followed: \(Self.list(links))") }
        if !ignored.isEmpty {
            notes.append(
                "ignored: \(Self.list(ignored)) (not part of this log's seal chain)")
        }
    }

    /// The first names of the paths, and the number of the others.
    private static func list(_ paths: [String]) -> String {
        paths.prefix(3).map { LogFileNames.base(of: $0) }.joined(separator: ", ")
            + (paths.count > 3 ? " and \(paths.count - 3) more" : "")
    }

    private static func take(
        from candidates: inout [Candidate], _ own: [Candidate], of log: String, before limit: UInt64
    ) -> [Candidate] {
        var taken = own
        func next(_ isWanted: (Candidate) -> Bool) -> Int? {
            candidates.firstIndex { candidate in
                !taken.contains(where: { $0.overlaps(candidate) }) && isWanted(candidate)
            }
        }
        while let index = next({ candidate in taken.contains { $0.isLinked(to: candidate) } })
            ?? next({ candidate in
                !candidate.isForeign && isRotation(candidate.file.path, of: log)
                    && candidate.ends?.sequences.upperBound ?? 0 < limit
            })
        {
            taken.append(candidates.remove(at: index))
        }
        return Array(taken[own.count...])
    }

    /// Whether the log's name is followed by `.1` or `-20261121`, packed or not.
    private static func isRotation(_ path: String, of log: String) -> Bool {
        let rest = LogFiles.unpacked(path).utf8.dropFirst(log.utf8.count + 1)
        return !rest.isEmpty && rest.allSatisfy { $0 &- 0x30 < 10 || $0 == UInt8(ascii: "-") }
    }

    /// Sorts by the times of the first lines; the current file is the last.
    private static func orderByTime(_ files: [LogFile], _ current: LogFile?) -> [LogFile] {
        let keyed = files.enumerated().map { index, file in
            (time: FirstLine.time(of: file)?.milliseconds ?? 0, index: index, file: file)
        }
        return keyed.sorted { ($0.time, $0.index) < ($1.time, $1.index) }.map(\.file)
            + [current].compactMap(\.self)
    }

    /// Sorts by the first seals. A file without a seal stays after its predecessor; the current
    /// file is the last.
    private static func order(_ own: [Candidate], _ moved: [Candidate], hasCurrent: Bool)
        -> [LogFile]
    {
        var before: UInt64 = 0
        var keyed: [(sequence: UInt64, index: Int, file: LogFile)] = []
        for (index, candidate) in own.enumerated() {
            let isCurrent = hasCurrent && index == own.count - 1
            before = candidate.ends?.sequences.lowerBound ?? (isCurrent ? .max : before)
            keyed.append((before, index, candidate.file))
        }
        for candidate in moved {
            keyed.append((candidate.ends?.sequences.lowerBound ?? 0, -1, candidate.file))
        }
        return keyed.sorted { ($0.sequence, $0.index) < ($1.sequence, $1.index) }.map(\.file)
    }
}
