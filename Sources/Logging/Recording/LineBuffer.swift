import Glibc
import POSIX
import Synchronization

/// Lines that wait in memory, at a place that never moves, so that a signal handler finds them there
/// when everything else has gone wrong.
///
/// `@unchecked Sendable` is sound: whoever calls it has the logger's lock or its write turn, and a
/// buffer belongs to one of the two at a time. Only `CrashReport` looks without asking, when nothing can
/// be asked any more, and reads the two counts atomically: bytes below `end` were put here.
@safe final class LineBuffer: @unchecked Sendable {
    /// What stays of a buffer that a busy moment has filled.
    private static let keptSize = 1 << 20

    private let memory: UnsafeMutableRawPointer
    private let capacity: Int
    /// Bytes that are written already, and bytes that were put here.
    private let start = Atomic<Int>(0)
    private let end = Atomic<Int>(0)
    /// Whether it is on its way to the file; set by whoever has the write turn.
    let isUnderway = Atomic<Bool>(false)

    /// Address space, which becomes memory as it is used.
    init(capacity: Int) {
        self.capacity = capacity
        // Sound: the kernel chooses an address where nothing else is.
        let place = unsafe mmap(
            nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        // Without memory for its lines there is no log, and without a log no server.
        guard let place = unsafe place, unsafe place != MAP_FAILED else {
            fatalError("no memory for the log")
        }
        unsafe memory = place
    }

    // Sound: mapped with this size, and who could still look has a reference to this object.
    deinit { unsafe munmap(memory, capacity) }

    var count: Int { end.load(ordering: .relaxed) - start.load(ordering: .relaxed) }
    var isEmpty: Bool { count == 0 }

    /// - Precondition: there is room; the logger counts.
    func append(_ bytes: Span<UInt8>) {
        let position = place(for: bytes.count)
        copy(bytes, to: position)
        end.store(position + bytes.count, ordering: .releasing)
    }

    /// Appends a line with its time and its end, all of it at once: what `CrashReport` sees is whole.
    /// - Precondition: there is room; the logger counts.
    func append(_ stamp: Span<UInt8>, _ line: Span<UInt8>) {
        let count = stamp.count + line.count + 1
        let position = place(for: count)
        copy(stamp, to: position)
        copy(line, to: position + stamp.count)
        // Sound: `place` has found room for `count`.
        unsafe memory.storeBytes(
            of: UInt8(ascii: "\n"), toByteOffset: position + count - 1, as: UInt8.self)
        end.store(position + count, ordering: .releasing)
    }

    /// Where so many more bytes can be put.
    private func place(for count: Int) -> Int {
        if end.load(ordering: .relaxed) + count > capacity { compact() }
        let position = end.load(ordering: .relaxed)
        precondition(position + count <= capacity)
        return position
    }

    private func copy(_ bytes: Span<UInt8>, to position: Int) {
        // Sound: `place` has found room.
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe (memory + position).copyMemory(from: base, byteCount: source.count)
        }
    }

    /// The bytes that are not written yet.
    func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let first = start.load(ordering: .relaxed)
        // Sound: the bytes from `start` to `end` were put here, and the span does not leave the closure.
        let bytes = unsafe UnsafeRawBufferPointer(start: memory + first, count: count)
        return unsafe body(bytes.bindMemory(to: UInt8.self).span)
    }

    func removeFirst(_ written: Int) {
        start.store(start.load(ordering: .relaxed) + written, ordering: .releasing)
        if isEmpty { removeAll() }
    }

    func removeAll() {
        let used = end.load(ordering: .relaxed)
        // In this order: whoever looks in between sees an end before the start, which is nothing.
        end.store(0, ordering: .releasing)
        start.store(0, ordering: .releasing)
        if used > Self.keptSize {
            // Sound: it was filled past `keptSize`, so that the mapping is longer; nothing waits
            // there now.
            unsafe madvise(memory + Self.keptSize, capacity - Self.keptSize, MADV_DONTNEED)
        }
    }

    /// Puts all that waits in another buffer behind what waits here.
    func takeAll(of other: LineBuffer) {
        other.withBytes { append($0) }
        other.removeAll()
    }

    private func compact() {
        let first = start.load(ordering: .relaxed)
        let count = count
        // Sound: `first + count` is the end of what was put here; memmove(3) lets the two overlap.
        unsafe memmove(memory, memory + first, count)
        start.store(0, ordering: .releasing)
        end.store(count, ordering: .releasing)
    }

    /// For a signal handler: writes the whole lines that are not written, and stops at the first error.
    func writeOut(to descriptor: CInt) {
        var position = start.load(ordering: .acquiring)
        var limit = end.load(ordering: .acquiring)
        // A line comes in pieces, and whoever was putting the last one there may be stopped.
        // Sound: bytes below `end` were put here.
        while position < limit,
            unsafe memory.load(fromByteOffset: limit - 1, as: UInt8.self) != UInt8(ascii: "\n")
        {
            limit -= 1
        }
        while position < limit {
            let count = unsafe write(descriptor, memory + position, limit - position)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            position += count
        }
    }
}
