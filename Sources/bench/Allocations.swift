import Glibc
import Synchronization

/// Counts heap allocations, all of which in Swift are `malloc`: `counted_malloc` stands in front of the C library's `malloc` for every
/// library in the process (Package.swift gives it that name when this program is linked), counts, and
/// hands on to it.
///
/// What is measured runs on one thread; others that allocate meanwhile are counted, too.
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
    // Sound: the C library's own function, under another name and with its signature.
    return unsafe libraryMalloc(size)
}
