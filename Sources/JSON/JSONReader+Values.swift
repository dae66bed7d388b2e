/// Reading values. Each function throws `wrongType` if the next value has another type.
extension JSONReader {
    package mutating func readText() throws(JSONError) -> JSONStringToken {
        guard try peek() == UInt8(ascii: "\"") else { throw JSONError(.wrongType, at: offset) }
        return try scanText(isName: false)
    }

    package mutating func readBoolean() throws(JSONError) -> Bool {
        switch try peek() {
        case UInt8(ascii: "t"):
            try expect("true")
            return true
        case UInt8(ascii: "f"):
            try expect("false")
            return false
        default: throw JSONError(.wrongType, at: offset)
        }
    }

    package mutating func readNull() throws(JSONError) {
        guard try peek() == UInt8(ascii: "n") else { throw JSONError(.wrongType, at: offset) }
        try expect("null")
    }

    /// An integer of 64 bits. `1.0` and `1e0` are `notAnInteger`.
    package mutating func readInteger() throws(JSONError) -> Int64 {
        if let value = readShortInteger() { return value }
        let number = try readNumberToken()
        guard number.isInteger else { throw JSONError(.notAnInteger, at: number.start) }
        guard let value = number.integer else {
            throw JSONError(.numberOutOfRange, at: number.start)
        }
        return value
    }

    /// Any number: exact if it is written as an integer of 64 bits, else the nearest Double.
    package mutating func readNumber() throws(JSONError) -> JSONNumber {
        if let value = readShortInteger() { return .integer(value) }
        let number = try readNumberToken()
        if let value = number.integer { return .integer(value) }
        // Rare: a fraction, an exponent, or twenty digits. The grammar allows only ASCII.
        let text = String(decoding: (number.start..<number.end).map { bytes[$0] }, as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            throw JSONError(.numberOutOfRange, at: number.start)
        }
        return .fraction(value)
    }

    /// The common case: one to eighteen digits without sign and leading zero, directly followed by
    /// `,` or `}`. Otherwise nil, and nothing is read.
    mutating func readShortInteger() -> Int64? {
        let start = offset
        // Sound: indices stay below the count.
        let (value, end) = unsafe bytes.withUnsafeBufferPointer { bytes in
            var index = start
            var value: Int64 = 0
            let limit = min(bytes.count, start + 18)
            while index < limit, unsafe bytes[index] &- 0x30 < 10 {
                value = unsafe value &* 10 &+ Int64(bytes[index] &- 0x30)
                index += 1
            }
            return (value, index)
        }
        guard end > start, end < bytes.count, bytes[start] != UInt8(ascii: "0"),
            bytes[end] == UInt8(ascii: ",") || bytes[end] == UInt8(ascii: "}")
        else { return nil }
        offset = end
        return value
    }

    mutating func readNumberToken() throws(JSONError) -> NumberToken {
        switch try peek() {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try scanNumber()
        default: throw JSONError(.wrongType, at: offset)
        }
    }

    mutating func expect(_ word: StaticString) throws(JSONError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard offset < bytes.count else { throw JSONError(.unexpectedEnd, at: offset) }
            // Sound: the index is below the literal's count.
            guard unsafe bytes[offset] == word.utf8Start[index] else {
                throw JSONError(.unexpectedByte, at: offset)
            }
            offset += 1
        }
    }
}

package enum JSONNumber: Equatable, Sendable {
    case integer(Int64)
    case fraction(Double)
}
