import Glibc

/// Overwrites the bytes of an array in place, for all who hold it. The optimiser does not leave it
/// out.
///
/// - Precondition: nothing reads them from now on, on any thread.
package func wipe(_ bytes: borrowing [UInt8]) { wipe(bytes, 0..<bytes.count) }

/// Overwrites a part of them.
package func wipe(_ bytes: borrowing [UInt8], _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.capacity)
    // Sound: the storage of an array of numbers is plain memory on the heap, as long as its
    // capacity. Writing to it behind the array's back is meant: a copy on write would leave the
    // bytes where they are. Nothing reads them any more, so that no read can be in conflict.
    unsafe bytes.withUnsafeBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return }
        unsafe explicit_bzero(
            UnsafeMutablePointer(mutating: start) + range.lowerBound, range.count)
    }
}

/// Bytes that nothing keeps after their last owner: they are overwritten then. They have no text.
///
/// A value with a reference, because a class gives out no `Span` of what it owns.
package struct SecretBytes: Sendable {
    private final class Owner: Sendable {
        let bytes: [UInt8]

        init(_ bytes: consuming [UInt8]) { self.bytes = bytes }

        deinit { wipe(bytes) }
    }

    private let owner: Owner
    /// The owner's: the same storage.
    private let bytes: [UInt8]

    /// - Precondition: nothing else uses the array afterwards.
    package init(_ bytes: consuming [UInt8]) {
        owner = Owner(bytes)
        self.bytes = owner.bytes
    }

    package var count: Int { bytes.count }

    package var span: Span<UInt8> { bytes.span }
}

extension SecretBytes: CustomReflectable, CustomStringConvertible {
    package var customMirror: Mirror { Mirror(self, children: []) }
    package var description: String { "SecretBytes" }
}
