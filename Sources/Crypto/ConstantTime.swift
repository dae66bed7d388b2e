/// Whether two byte strings are equal, in a time that depends only on their lengths.
///
/// Every byte is compared and the differences are combined, so the time does not reveal the
/// position of the first difference. Lengths are public here: every code that is compared has 32
/// bytes.
package func isEqualInConstantTime(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
}
