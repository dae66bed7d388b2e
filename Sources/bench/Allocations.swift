import Glibc
import Synchronization

/// Counts heap allocations, all of which are `malloc` in Swift. Package.swift links this program so
/// that every library's `malloc` is `counted_malloc`, which counts and calls the C library's
/// function.
///
/// Allocations of all threads are counted; benchmarks run on one thread.
enum Allocations {
    fileprivate static let total = Atomic<Int>(0)

    static var count: Int { total.load(ordering: .relaxed) }

    /// Whether counting works on this system.
    static var areCounted: Bool {
        let before = count
        blackHole(Array(repeating: before, count: 100))
        return count > before
    }
}

@_silgen_name("__libc_malloc")
private func libraryMalloc(_ size: Int) -> UnsafeMutableRawPointer?

@_cdecl("counted_malloc")
func countedMalloc(_ size: Int) -> UnsafeMutableRawPointer? {
    Allocations.total.wrappingAdd(1, ordering: .relaxed)
    // Sound: this is the C library's own function, with its signature, under another name.
    return unsafe libraryMalloc(size)
}
