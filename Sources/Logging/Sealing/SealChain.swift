import Crypto
import Glibc
import POSIX
import Time

/// The chain of seals over the lines of a log.
///
/// Theory. The bytes of every line, with its line end, go through a running SHA-256. At intervals a
/// `log_seal` line closes a segment, with a sequence number and
///
///     code = HMAC(key, code of the previous seal | sequence number | SHA-256 of the segment)
///
/// The segment is every byte since the previous seal, and the seal's own line up to its code: its
/// time and its counts are covered, too. Because each code depends on the one before, a segment
/// cannot be changed, removed, inserted or moved without the key. A code that is kept elsewhere
/// proves that everything up to it is unchanged.
///
/// A seal contains the previous code, so that each can be checked alone: a reader continues after a
/// fault, and a log whose oldest files are gone can still be verified. It also has the number of
/// lines and the sum of a small hash of each, independent of order. That proves nothing. It tells a
/// reader whether a changed segment has lost lines, gained some, or has them in another order.
///
/// A segment never extends into the next file: the writer seals before it changes files.
package struct SealChain: Sendable {
    package enum Reason: String, Sendable, CaseIterable {
        /// `seal_interval` has passed.
        case interval
        /// A minute has passed without a line: the segment is empty, and records that.
        case silence
        /// The file is full, or another replaces it.
        case rotate
        /// The first lines of a process. In logs of earlier versions also the lines found before
        /// them.
        case start
        /// Lines found in the file: those of a killed process, or of other programs. No process
        /// claims to have written them.
        case found
        case stop
    }

    package private(set) var head: SealHead
    private var hash = SHA256()
    /// The running hash of the segment.
    /// Lines since the last seal.
    package private(set) var lineCount: UInt64 = 0
    /// The sum of their hashes.
    package private(set) var sum: UInt64 = 0
    /// The beginning of a line whose end has not come yet, after a failed write or a short read.
    private var fragment: [UInt8] = []

    package init(after head: SealHead = .none) { self.head = head }

    /// Adds the next bytes of the file.
    package mutating func update(_ bytes: Span<UInt8>) {
        hash.update(bytes)
        var start = 0
        while start < bytes.count {
            guard let end = Self.lineEnd(bytes, from: start) else {
                keepFragment(bytes.extracting(start..<bytes.count))
                return
            }
            if fragment.isEmpty {
                sum &+= LineHash.of(bytes.extracting(start..<end))
            } else {
                keepFragment(bytes.extracting(start..<end))
                sum &+= LineHash.of(fragment.span)
                fragment = []
            }
            lineCount += 1
            start = end + 1
        }
    }

    /// The line that closes the segment, with its line end, and the head of the chain once the line
    /// is in the file.
    package func seal(
        _ reason: Reason, key: SealKey, at now: Timestamp, _ format: LogFormat
    ) -> (line: [UInt8], head: SealHead) {
        let sequence = head.sequence + 1
        let event = LogSealed(
            sequence: sequence, lineCount: lineCount, sum: sum, reason: reason, keyID: key.id,
            previous: head.code)
        var line = LogLine.formatted(event, at: now, format)
        line.removeLast(SealLine.ending(in: format).count)
        let code = code(key, after: head.code, sequence, closing: line.span)
        line += SealLine.codeField(code, in: format) + SealLine.ending(in: format)
        return (line, SealHead(sequence: sequence, code: code))
    }

    /// The code of a seal that closes this segment.
    /// - Parameter line: The seal's line up to its code.
    package func code(
        _ key: SealKey, after previous: SealMAC, _ sequence: UInt64, closing line: Span<UInt8>
    ) -> SealMAC {
        var hash = hash
        hash.update(line)
        return SealMAC(key, previous: previous, sequence: sequence, digest: hash.finalize())
    }

    /// Starts the next segment after a seal that is in the file.
    package mutating func advance(to head: SealHead) { self = SealChain(after: head) }

    /// Keeps at most as many bytes as are hashed.
    private mutating func keepFragment(_ bytes: Span<UInt8>) {
        let space = LineHash.longest - fragment.count
        fragment.append(copying: bytes.extracting(0..<min(space, bytes.count)))
    }

    /// Continues after another seal if it is later, and keeps the current segment.
    mutating func `continue`(after head: SealHead) {
        if head.sequence > self.head.sequence { self.head = head }
    }

    private static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        // Sound: the search stays inside the span, and the pointer inside this closure.
        unsafe bytes.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress else { return nil }
            let found = unsafe memchr(base + start, 0x0A, bytes.count - start)
            return unsafe found.map { unsafe UnsafeRawPointer($0) - base }
        }
    }
}

/// `log_seal`, without its code.
private struct LogSealed: LogEvent {
    let sequence: UInt64
    let lineCount: UInt64
    let sum: UInt64
    let reason: SealChain.Reason
    let keyID: String
    let previous: SealMAC
    var level: Level { .info }
    var area: Area { .log }
    var name: StaticString { "log_seal" }

    func write(to line: inout LogLine) {
        line.field("sequence", Int64(clamping: sequence))
        line.field("n", Int64(clamping: lineCount))
        line.field("sum", SealLine.digits(sum))
        line.field("reason", reason.rawValue)
        line.field("key", keyID)
        line.field("previous", previous.text)
    }
}

/// A 64-bit hash that tells apart lines that were not crafted to collide.
private enum LineHash {
    /// Bytes that are hashed; longer lines are not ours.
    static let longest = 64 * 1024

    static func of(_ line: Span<UInt8>) -> UInt64 {
        let line = line.extracting(0..<min(line.count, longest))
        // Sound: every load lies within the span's bytes.
        return unsafe line.withUnsafeBytes { bytes in
            // Two lanes, so that one multiplication does not wait for the other. The constants are
            // odd and have no pattern: the fractions of the golden ratio and of the square root
            // of 3.
            var a: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
            var b: UInt64 = 0xBB67_AE85_84CA_A73B
            var offset = 0
            while offset + 16 <= bytes.count {
                let low = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                let high = unsafe bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
                a = (a ^ low) &* 0x9E37_79B9_7F4A_7C15
                a ^= a &>> 29
                b = (b ^ high) &* 0xBB67_AE85_84CA_A73B
                b ^= b &>> 31
                offset += 16
            }
            if offset < bytes.count, bytes.count >= 16 {
                // The last sixteen bytes, some of them a second time. Sound: there are at least
                // sixteen.
                let end = bytes.count - 16
                let low = unsafe bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self)
                let high = unsafe bytes.loadUnaligned(fromByteOffset: end + 8, as: UInt64.self)
                a = (a ^ low) &* 0x9E37_79B9_7F4A_7C15
                a ^= a &>> 29
                b = (b ^ high) &* 0xBB67_AE85_84CA_A73B
                b ^= b &>> 31
            } else {
                while offset < bytes.count {
                    // Sound: `offset` is below the count.
                    a = (a ^ UInt64(unsafe bytes[offset])) &* 0x9E37_79B9_7F4A_7C15
                    a ^= a &>> 29
                    offset += 1
                }
            }
            return (a ^ (b &<< 1)) &* 0x9E37_79B9_7F4A_7C15
        }
    }
}
