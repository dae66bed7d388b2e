import Glibc
import POSIX
import Synchronization

/// Lines that wait in memory, at an address that never changes, so that the crash handler can find
/// them.
///
/// Sound: `@unchecked Sendable` holds because every caller has the logger's lock or its write turn,
/// and a buffer belongs to one of the two at a time. Only `CrashReport` reads it without either. It
/// reads the two counts atomically, and the bytes below `end` are initialized.
@safe final class LineBuffer: @unchecked Sendable {
    /// Bytes that stay mapped when a buffer that was filled further is emptied.
    private static let keptSize = 1 << 20

    private let memory: UnsafeMutableRawPointer
    private let capacity: Int
    /// The offset of the first unwritten byte, and the offset after the last byte.
    private let start = Atomic<Int>(0)
    private let end = Atomic<Int>(0)
    /// Whether the writer is writing this buffer to the file; set by the thread with the write
    /// turn.
    let isUnderway = Atomic<Bool>(false)

    /// Reserves `capacity` bytes of address space; pages become memory when they are first used.
    init(capacity: Int) {
        self.capacity = capacity
        // Sound: the kernel chooses an unused address.
        let mapping = unsafe mmap(
            nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        // The server does not run without a log, and the log needs memory for its lines.
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            fatalError("Logging: cannot map memory for the log's lines")
        }
        unsafe memory = mapping
    }

    // Sound: it was mapped with this size, and every user of the memory holds a reference to this
    // object.
    deinit { unsafe munmap(memory, capacity) }

    var count: Int { end.load(ordering: .relaxed) - start.load(ordering: .relaxed) }
    var isEmpty: Bool { count == 0 }

    /// - Precondition: There is space; the logger checks that.
    func append(_ bytes: Span<UInt8>) {
        let position = place(for: bytes.count)
        copy(bytes, to: position)
        end.store(position + bytes.count, ordering: .releasing)
    }

    /// Appends a line with its time and line end, published in one store, so that `CrashReport`
    /// never sees part of a line.
    /// - Precondition: There is space; the logger checks that.
    func append(_ stamp: Span<UInt8>, _ line: Span<UInt8>) {
        let count = stamp.count + line.count + 1
        let position = place(for: count)
        copy(stamp, to: position)
        copy(line, to: position + stamp.count)
        // Sound: `place` has checked that `count` bytes fit.
        unsafe memory.storeBytes(
            of: UInt8(ascii: "\n"), toByteOffset: position + count - 1, as: UInt8.self)
        end.store(position + count, ordering: .releasing)
    }

    /// The offset at which `count` more bytes fit.
    private func place(for count: Int) -> Int {
        if end.load(ordering: .relaxed) + count > capacity { compact() }
        let position = end.load(ordering: .relaxed)
        precondition(position + count <= capacity)
        return position
    }

    private func copy(_ bytes: Span<UInt8>, to position: Int) {
        // Sound: `place` has checked that the bytes fit.
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe (memory + position).copyMemory(from: base, byteCount: source.count)
        }
    }

    /// Calls `body` with the bytes that are not written yet.
    func withBytes<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let first = start.load(ordering: .relaxed)
        // Sound: the bytes from `start` to `end` are initialized, and the span does not leave the
        // closure.
        let bytes = unsafe UnsafeRawBufferPointer(start: memory + first, count: count)
        return unsafe body(bytes.bindMemory(to: UInt8.self).span)
    }

    /// Marks the first `written` bytes as written.
    func removeFirst(_ written: Int) {
        start.store(start.load(ordering: .relaxed) + written, ordering: .releasing)
        if isEmpty { removeAll() }
    }

    func removeAll() {
        let used = end.load(ordering: .relaxed)
        // In this order: a reader in between sees an end before the start, which is empty.
        end.store(0, ordering: .releasing)
        start.store(0, ordering: .releasing)
        if used > Self.keptSize {
            // Sound: it was filled past `keptSize`, so the mapping is longer; that part is not in
            // use.
            unsafe madvise(memory + Self.keptSize, capacity - Self.keptSize, MADV_DONTNEED)
        }
    }

    /// Appends all that waits in another buffer, and empties that one.
    func takeAll(of other: LineBuffer) {
        other.withBytes { append($0) }
        other.removeAll()
    }

    private func compact() {
        let first = start.load(ordering: .relaxed)
        let count = count
        // Sound: `first + count` is the end of the initialized bytes; memmove(3) permits the
        // overlap.
        unsafe memmove(memory, memory + first, count)
        start.store(0, ordering: .releasing)
        end.store(count, ordering: .releasing)
    }

    /// For a signal handler: writes the complete lines that are not written yet. Stops at the first
    /// error.
    func writeOut(to descriptor: CInt) {
        var position = start.load(ordering: .acquiring)
        var limit = end.load(ordering: .acquiring)
        // A line is copied in parts, and the thread that was copying the last one may be stopped.
        // Sound: the bytes below `end` are initialized.
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
