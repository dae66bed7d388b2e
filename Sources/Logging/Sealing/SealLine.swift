import Time

/// A parsed `log_seal` line. Whether it is authentic depends on its code, which the chain can
/// check. A line that differs in any byte from what `SealChain` writes is not parsed.
package struct SealLine: Sendable {
    package let format: LogFormat
    package let time: InlineArray<24, UInt8>
    package let sequence: UInt64
    package let lineCount: UInt64
    package let sum: UInt64
    package let reason: SealChain.Reason
    package let keyID: String
    package let previous: SealMAC
    package let code: SealMAC
    /// The number of bytes of the line that its code covers.
    package let codedCount: Int

    package var head: SealHead { SealHead(sequence: sequence, code: code) }

    /// - Parameter line: Without its line end.
    package init?(_ line: Span<UInt8>) {
        // Cheap check first: most lines are not seals, and no seal is shorter.
        guard line.count > 180 else { return nil }
        let format = LogFormat(lineBeginningWith: line[0])
        var reader = Reader(line, format)
        guard let time = reader.head(),
            let sequence = reader.number("sequence"), sequence > 0,
            let lineCount = reader.number("n"),
            let sum = reader.hexadecimal("sum", 16).flatMap({ UInt64($0, radix: 16) }),
            let reason = reader.word("reason").flatMap(SealChain.Reason.init),
            let keyID = reader.hexadecimal("key", 8), let previous = reader.code("previous")
        else { return nil }
        let codedCount = reader.position
        guard let code = reader.code("mac"), reader.isAtEnd else { return nil }
        self.format = format
        self.time = time
        self.sequence = sequence
        self.lineCount = lineCount
        self.sum = sum
        self.reason = reason
        self.keyID = keyID
        self.previous = previous
        self.code = code
        self.codedCount = codedCount
    }

    /// The last field of the line.
    static func codeField(_ code: SealMAC, in format: LogFormat) -> [UInt8] {
        switch format {
        case .text, .logfmt: Array(" mac=\(code.text)".utf8)
        case .json: Array(",\"mac\":\"\(code.text)\"".utf8)
        }
    }

    /// The end of every line.
    static func ending(in format: LogFormat) -> [UInt8] {
        switch format {
        case .text, .logfmt: Array("\n".utf8)
        case .json: Array("}\n".utf8)
        }
    }

    /// Sixteen hexadecimal digits.
    static func digits(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Parses the only spelling that a seal has in each format.
private struct Reader: ~Copyable, ~Escapable {
    private let line: Span<UInt8>
    private let format: LogFormat
    private(set) var position = 0

    @_lifetime(copy line)
    init(_ line: Span<UInt8>, _ format: LogFormat) {
        self.line = line
        self.format = format
    }

    /// The time, if the line begins like a seal.
    mutating func head() -> InlineArray<24, UInt8>? {
        switch format {
        case .text: break
        case .json: guard skip("{\"time\":\"") else { return nil }
        case .logfmt: guard skip("time=") else { return nil }
        }
        guard line.count - position >= 24 else { return nil }
        var time = InlineArray<24, UInt8>(repeating: 0)
        for index in 0..<24 { time[index] = line[position + index] }
        position += 24
        switch format {
        case .text: guard skip(" | INFO | log | log_seal") else { return nil }
        case .json:
            guard skip("\",\"level\":\"INFO\",\"area\":\"log\",\"event\":\"log_seal\"") else {
                return nil
            }
        case .logfmt: guard skip(" level=INFO area=log event=log_seal") else { return nil }
        }
        return time
    }

    /// A number without leading zeros of at most eighteen digits, which `LogLine` can have written.
    mutating func number(_ name: StaticString) -> UInt64? {
        guard begin(name) else { return nil }
        let start = position
        var value: UInt64 = 0
        while position < line.count, line[position] &- UInt8(ascii: "0") < 10 {
            // Eighteen digits cannot overflow.
            guard position - start < 18 else { return nil }
            value = value * 10 + UInt64(line[position] - UInt8(ascii: "0"))
            position += 1
        }
        let count = position - start
        guard count > 0, count == 1 || line[start] != UInt8(ascii: "0") else { return nil }
        return value
    }

    mutating func hexadecimal(_ name: StaticString, _ count: Int) -> String? {
        guard let text = text(name, { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }), text.utf8.count == count
        else { return nil }
        return text
    }

    mutating func word(_ name: StaticString) -> String? { text(name) { $0 &- 0x61 < 26 } }

    mutating func code(_ name: StaticString) -> SealMAC? {
        hexadecimal(name, SealMAC.textCount).flatMap { SealMAC(Array($0.utf8).span) }
    }

    var isAtEnd: Bool {
        mutating get {
            if format == .json, !skip("}") { return false }
            return position == line.count
        }
    }

    private mutating func text(_ name: StaticString, _ isWanted: (UInt8) -> Bool) -> String? {
        guard begin(name) else { return nil }
        if format == .json, !skip("\"") { return nil }
        var text = ""
        while position < line.count, text.utf8.count <= SealMAC.textCount, isWanted(line[position])
        {
            text.unicodeScalars.append(Unicode.Scalar(line[position]))
            position += 1
        }
        if format == .json, !skip("\"") { return nil }
        return text
    }

    private mutating func begin(_ name: StaticString) -> Bool {
        switch format {
        case .text, .logfmt: skip(" ") && skip(name) && skip("=")
        case .json: skip(",\"") && skip(name) && skip("\":")
        }
    }

    private mutating func skip(_ text: StaticString) -> Bool {
        // Sound: a literal's bytes live as long as the program, and its count is correct.
        let bytes = unsafe UnsafeBufferPointer(
            start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard line.count - position >= bytes.count else { return false }
        for index in bytes.indices {
            guard unsafe bytes[index] == line[position + index] else { return false }
        }
        position += bytes.count
        return true
    }
}
