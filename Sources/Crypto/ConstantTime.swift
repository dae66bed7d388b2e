/// Whether two byte strings are equal, in a time that depends on their lengths alone.
///
/// Every byte is looked at and the differences are gathered, so that where the first one stands
/// cannot be read off the clock. Lengths are public here: every code compared has 32 bytes.
package func isEqualInConstantTime(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
}
