/// Why bytes are not the JSON that was asked for, and where.
package struct JSONError: Error, Equatable {
    package enum Reason: Equatable, Sendable {
        /// The text ends inside a value.
        case unexpectedEnd
        /// A byte that no rule of RFC 8259 allows here.
        case unexpectedByte
        /// Bytes follow the value.
        case trailingBytes
        /// A name that the object already has (RFC 8259 §4 leaves the choice; we refuse).
        case duplicateName
        /// More nesting than the reader was told to accept.
        case tooDeep
        /// More names in the objects that are open than `JSONReader.maximumNames`.
        case tooManyNames
        /// Not UTF-8 (RFC 8259 §8.1): overlong forms, surrogates and cut sequences included.
        case invalidUTF8
        /// A backslash that begins none of the escapes of RFC 8259 §7.
        case invalidEscape
        /// Half of a surrogate pair, which is no character.
        case loneSurrogate
        /// A number that the asked-for type cannot hold.
        case numberOutOfRange
        /// A number with a fraction or an exponent where an integer was asked for.
        case notAnInteger
        /// A value of another type than was asked for.
        case wrongType
    }

    package let reason: Reason
    /// The offset of the byte in question.
    package let offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}
