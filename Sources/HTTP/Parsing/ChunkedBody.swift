/// Decodes a body in the chunked transfer coding (RFC 9112 §7.1), in place. The bytes from `start`
/// to `end` are the data decoded so far.
struct ChunkedBody {
    enum Step { case size, data, dataEnd, trailers }

    /// The maximum bytes in a chunk-size line. No client needs more; chunk extensions are ignored.
    static let maximumLine = 1024
    /// Sixteen hexadecimal digits are 64 bits. More would be leading zeros or an overflow.
    private static let maximumDigits = 16

    private(set) var start: Int
    private(set) var end: Int
    /// Data bytes of the current chunk that have not been decoded yet.
    private(set) var remaining = 0
    var step = Step.size
    /// Bytes of extensions in all chunks. Their number is not limited, so their total size is.
    private var extensionBytes = 0
    /// The offset of the trailer section. The limit on its size counts from here.
    private(set) var trailerStart = 0

    init(start: Int) {
        self.start = start
        end = start
    }

    /// Parses `chunk-size [ chunk-ext ]`. A size of zero marks the last chunk.
    mutating func readSize(
        _ bytes: Span<UInt8>, _ line: Range<Int>, _ limits: Conversation.Limits
    ) throws(ParseError) {
        var index = line.lowerBound
        var size: UInt64 = 0
        while index < line.upperBound, let digit = Grammar.hexadecimalValue(bytes[index]) {
            size = size << 4 | UInt64(digit)
            index += 1
        }
        guard index > line.lowerBound, index - line.lowerBound <= Self.maximumDigits else {
            throw .badChunk
        }
        extensionBytes += line.upperBound - index
        guard extensionBytes <= limits.head,
            Self.isExtensions(bytes.extracting(index..<line.upperBound))
        else { throw .badChunk }
        guard size <= UInt64(limits.body - (end - start)) else { throw .bodyTooLarge }
        remaining = Int(size)
        step = size == 0 ? .trailers : .data
        trailerStart = line.upperBound + 2
    }

    /// Moves `count` data bytes from `cursor` to the end of the decoded data.
    mutating func append(_ count: Int, from cursor: Int, in bytes: inout [UInt8]) {
        if cursor > end, count > 0 {
            // Sound: `count` bytes exist at `cursor`, and `end` is before it, so both ranges are
            // inside the buffer.
            unsafe bytes.withUnsafeMutableBytes { buffer in
                let base = buffer.baseAddress!
                unsafe (base + end).copyMemory(from: base + cursor, byteCount: count)
            }
        }
        end += count
        remaining -= count
    }

    /// Validates a trailer field (§7.1.2) and discards it. A field that frames or routes the
    /// message must not be in the trailers (RFC 9110 §6.5.1). All other trailer fields are ignored.
    func readTrailer(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(ParseError) {
        switch try Field.parse(bytes, line).name {
        case .contentLength, .transferEncoding, .host: throw .badField
        case .authorization, .connection, .contentEncoding, .contentType, .expect, .fetchSite,
            .forwarded, .forwardedFor, .forwardedHost, .origin, .requestID, .other:
            break
        }
    }

    mutating func closeGap(_ count: Int) { trailerStart -= count }

    mutating func shift(by count: Int) {
        start -= count
        end -= count
        trailerStart -= count
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` (§7.1.1).
    private static func isExtensions(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        func skipWhiteSpace() {
            while index < bytes.count, Grammar.isWhiteSpace(bytes[index]) { index += 1 }
        }
        func skipToken() -> Bool {
            let start = index
            while index < bytes.count, Grammar.isToken(bytes[index]) { index += 1 }
            return index > start
        }
        while index < bytes.count {
            skipWhiteSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: ";") else { return false }
            index += 1
            skipWhiteSpace()
            guard skipToken() else { return false }
            let nameEnd = index
            skipWhiteSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "=") else {
                // The grammar does not allow white space at the end.
                if index == bytes.count, index > nameEnd { return false }
                continue
            }
            index += 1
            skipWhiteSpace()
            guard index < bytes.count else { return false }
            if bytes[index] == UInt8(ascii: "\"") {
                index += 1
                while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                    index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard index < bytes.count else { return false }
                index += 1
            } else if !skipToken() {
                return false
            }
        }
        return true
    }
}
