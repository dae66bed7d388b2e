/// Lowercase hexadecimal, two digits a byte.
package func hexadecimal(_ bytes: Span<UInt8>) -> String {
    var text = ""
    for index in bytes.indices {
        let byte = bytes[index]
        text.append(String(byte >> 4, radix: 16))
        text.append(String(byte & 15, radix: 16))
    }
    return text
}
