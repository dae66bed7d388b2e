import POSIX
import Time

/// Decides when a segment of the log is sealed, and makes the seals. The file writes them.
struct SealWriter {
    /// After this long without a line a seal records the silence.
    private static let silenceInterval = TimeAmount.seconds(60)
    /// Bytes that a file reserves for the seal that closes it. No seal is longer: see
    /// `SealChainTests`.
    static let maximumLength = 448

    private(set) var options: LogOptions.Seal?
    /// Nil if the log is not sealed.
    private(set) var chain: SealChain?
    private var lastSeal: Timestamp
    /// The file's size after its last seal.
    private(set) var sealedSize: Int
    /// What the previous process left, and the first lines of this one, are not sealed yet.
    private(set) var owesStartSeal = true

    init(_ options: LogOptions.Seal?, _ chain: SealChain?, sealedSize: Int, at now: Timestamp) {
        self.options = options
        self.chain = chain
        self.sealedSize = sealedSize
        lastSeal = now
    }

    var head: SealHead? { chain?.head }
    var isSealed: Bool { chain != nil }

    /// Bytes to keep free at the end of a file.
    var reservedLength: Int { chain == nil ? 0 : Self.maximumLength }

    // A clock that was set back must not delay a seal: a seal is due if its time lies in the
    // future.

    func isDue(at now: Timestamp) -> Bool {
        guard let chain, let options, chain.lineCount > 0 else { return false }
        return now < lastSeal || lastSeal + options.interval <= now
    }

    func silenceIsDue(at now: Timestamp) -> Bool {
        guard let chain, chain.lineCount == 0 else { return false }
        return now < lastSeal || lastSeal + Self.silenceInterval <= now
    }

    /// The reason to seal with before another file begins. What the start found is never sealed as
    /// written by this process.
    func closingReason(isOnlyFound: Bool) -> SealChain.Reason {
        owesStartSeal ? isOnlyFound ? .found : .start : .rotate
    }

    /// - Parameter isForced: seal a segment without lines, too.
    /// - Returns: nil if there is nothing to seal.
    func makeSeal(
        _ reason: SealChain.Reason, at now: Timestamp, _ format: LogFormat, isForced: Bool
    ) -> (line: [UInt8], head: SealHead)? {
        guard let options, let chain,
            chain.lineCount > 0 || isForced || reason == .silence || reason == .stop
        else { return nil }
        return chain.seal(reason, key: options.key, at: now, format)
    }

    mutating func didWrite(_ head: SealHead, size: Int, at now: Timestamp) {
        sealedSize = size
        lastSeal = now
        chain?.advance(to: head)
    }

    mutating func update(_ bytes: Span<UInt8>) { chain?.update(bytes) }

    mutating func takeStartSeal() -> Bool {
        defer { owesStartSeal = false }
        return owesStartSeal
    }

    mutating func change(to options: LogOptions.Seal) { self.options = options }

    /// Continues in a file of which nothing is sealed.
    mutating func beginFile(_ size: Int = 0) { sealedSize = size }

    /// Continues with the chain of what is left in a truncated file.
    mutating func restart(with chain: SealChain?) {
        self.chain = chain
        sealedSize = 0
    }

    /// Drops the unsealed lines of a file that was removed.
    mutating func dropSegment() { chain = chain.map { SealChain(after: $0.head) } }
}
