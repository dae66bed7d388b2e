import Glibc

/// Overwrites the bytes of an array in place, for all references to its storage. The optimizer
/// cannot remove the call.
///
/// - Precondition: no thread reads the bytes afterwards.
package func wipe(_ bytes: borrowing [UInt8]) { wipe(bytes, 0..<bytes.count) }

/// As `wipe(_:)`, for a part of the array. The range may extend to the array's capacity.
package func wipe(_ bytes: borrowing [UInt8], _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.capacity)
    // Sound: the storage of an array of integers is plain heap memory of its capacity. Writing
    // through the pointer bypasses copy-on-write on purpose: a copy would leave the original bytes
    // in place. No thread reads them any more, so no access conflicts.
    unsafe bytes.withUnsafeBufferPointer { buffer in
        guard let start = buffer.baseAddress else { return }
        unsafe explicit_bzero(
            UnsafeMutablePointer(mutating: start) + range.lowerBound, range.count)
    }
}

/// Bytes that are overwritten when the last copy of this value is released. They are never printed.
///
/// A struct with a reference, because a class cannot return a `Span` of its storage.
package struct SecretBytes: Sendable {
    private final class Owner: Sendable {
        let bytes: [UInt8]

        init(_ bytes: consuming [UInt8]) { self.bytes = bytes }

        deinit { wipe(bytes) }
    }

    private let owner: Owner
    /// The same storage as the owner's.
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
