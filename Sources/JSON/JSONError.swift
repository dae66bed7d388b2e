/// Why a text was rejected, and where.
package struct JSONError: Error, Equatable {
    package enum Reason: Equatable, Sendable {
        /// The text ends within a value.
        case unexpectedEnd
        /// A byte that RFC 8259 does not allow here.
        case unexpectedByte
        /// Bytes follow the value.
        case trailingBytes
        /// The object already has this name (RFC 8259 §4 leaves the choice; it is refused here).
        case duplicateName
        /// More nesting than the reader's limit.
        case tooDeep
        /// More names in open objects than the reader's limit (`JSONReader.maximumNames`).
        case tooManyNames
        /// Not UTF-8 (RFC 8259 §8.1), including overlong forms, surrogates and truncated sequences.
        case invalidUTF8
        /// A backslash that starts none of the escapes of RFC 8259 §7.
        case invalidEscape
        /// Half of a surrogate pair, which is not a character.
        case loneSurrogate
        /// A number that does not fit the requested type.
        case numberOutOfRange
        /// A number with a fraction or an exponent where an integer was requested.
        case notAnInteger
        /// A value of another type than was requested.
        case wrongType
    }

    package let reason: Reason
    /// The offset of the byte, from the start of the text.
    package let offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}
