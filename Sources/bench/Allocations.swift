import Glibc

/// Counts heap allocations, all of which in Swift are `malloc`: `counted_malloc` stands in front of the C library's `malloc` for every
/// library in the process (Package.swift gives it that name when this program is linked), counts, and
/// hands on to it.
///
/// Counted without atomics: what is measured runs on one thread.
enum Allocations {
    nonisolated(unsafe) fileprivate(set) static var count = 0

    /// Whether counting works on this system.
    static var areCounted: Bool {
        let before = unsafe count
        unsafe blackHole(Array(repeating: count, count: 100))
        return unsafe count > before
    }
}

@_silgen_name("__libc_malloc")
private func libraryMalloc(_ size: Int) -> UnsafeMutableRawPointer?

@_cdecl("counted_malloc")
func countedMalloc(_ size: Int) -> UnsafeMutableRawPointer? {
    unsafe Allocations.count &+= 1
    return unsafe libraryMalloc(size)
}
