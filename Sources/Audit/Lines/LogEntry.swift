import JSON
import Logging
import Time

/// A parsed log line in any of the three formats.
///
/// Borrows the line and copies nothing; fields are searched for when they are requested. The
/// initializer checks the complete line, so a torn line is never an entry. Never traps on input.
package struct LogEntry: ~Escapable {
    package let time: Timestamp
    package let level: Level
    package let area: Area
    package let format: LogFormat
    /// The event's name: printable ASCII.
    package let event: Span<UInt8>
    private let line: Span<UInt8>
    /// Offset of the first field; not used for JSON.
    private let fieldsStart: Int

    /// - Parameter line: the line without its line end.
    /// - Returns: nil if it is not a line that the log writes.
    @_lifetime(copy line)
    package init?(_ line: Span<UInt8>) {
        guard let first = line.isEmpty ? nil : line[0] else { return nil }
        let isJSON = first == UInt8(ascii: "{")
        let format: LogFormat = isJSON ? .json : first == UInt8(ascii: "t") ? .logfmt : .text
        let head: Head? =
            switch format {
            case .text: Head(text: line)
            case .json: Head(json: line)
            case .logfmt: Head(logfmt: line)
            }
        guard let head else { return nil }
        if !isJSON {
            var scanner = LogFieldScanner(line, from: head.fieldsStart)
            while scanner.next() != nil {}
            guard !scanner.isMalformed else { return nil }
        }
        time = head.time
        level = head.level
        area = head.area
        self.format = format
        event = line.extracting(head.event)
        self.line = line
        fieldsStart = head.fieldsStart
    }

    // MARK: Fields

    /// Calls `body` with each field in order, with escapes resolved. Skips lists, objects and null,
    /// which the log does not write.
    package func forEachField(_ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void) {
        guard format == .json else {
            var scanner = LogFieldScanner(line, from: fieldsStart)
            while let field = scanner.next() {
                let name = line.extracting(field.name)
                let value = line.extracting(field.value)
                if field.hasEscapes {
                    body(name, LogFieldScanner.resolved(value).span)
                } else {
                    body(name, value)
                }
            }
            return
        }
        // Cannot throw: the initializer has read the same bytes.
        try? forEachJSONField(body)
    }

    /// The value of the first field with this name; nil if there is none.
    package subscript(name: String) -> String? {
        var value: String?
        let wanted = Array(name.utf8)
        forEachField { name, bytes in
            guard value == nil, name.isEqual(wanted.span) else { return }
            value = bytes.text
        }
        return value
    }

    private func forEachJSONField(
        _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void
    ) throws(JSONError) {
        var reader = JSONReader(line)
        var progress = JSONKeySet.Cursor()
        try reader.beginObject()
        while let member = try reader.nextMember(of: Head.names, &progress) {
            guard case .other(let name) = member else {
                try reader.skipValue()
                continue
            }
            if try reader.peekKind() == .string {
                let text = try reader.readText()
                if let name = Head.place(of: name, in: line, &reader),
                    let plain = Head.place(of: text, in: line, &reader)
                {
                    body(line.extracting(name), line.extracting(plain))
                } else {
                    body(reader.bytes(of: name).span, reader.bytes(of: text).span)
                }
            } else if let value = try Self.scalarText(&reader) {
                body(reader.bytes(of: name).span, Array(value.utf8).span)
            }
        }
    }

    /// The text of a number or a Boolean; nil for any other value, and skips it.
    private static func scalarText(_ reader: inout JSONReader) throws(JSONError) -> String? {
        switch try reader.peekKind() {
        case .number:
            // The initializer has checked the grammar. The only possible error is a number out of
            // range; the reader has then consumed it.
            switch try? reader.readNumber() {
            case .integer(let number): return String(number)
            case .fraction(let number): return String(number)
            case nil: return nil
            }
        case .boolean: return String(try reader.readBoolean())
        case .string, .object, .array, .null:
            try reader.skipValue()
            return nil
        }
    }
}

/// The part that all lines have in common.
private struct Head {
    var time: Timestamp
    var level: Level
    var area: Area
    var event: Range<Int>
    var fieldsStart: Int

    private init?(
        _ line: Span<UInt8>, time: Range<Int>, level: Range<Int>, area: Range<Int>,
        event: Range<Int>
    ) {
        guard let time = Timestamp(rfc3339: line.extracting(time)),
            let level = Self.level(line.extracting(level)),
            let area = Self.area(line.extracting(area)), !event.isEmpty
        else { return nil }
        for index in event {
            guard LogFieldScanner.isPlain(line[index]), line[index] < 0x7F else { return nil }
        }
        self.time = time
        self.level = level
        self.area = area
        self.event = event
        fieldsStart = event.upperBound
    }

    /// `time | LEVEL | area | event …`
    init?(text line: Span<UInt8>) {
        var start = 0
        guard let time = Self.part(line, &start), let level = Self.part(line, &start),
            let area = Self.part(line, &start)
        else { return nil }
        let event = start..<Self.wordEnd(line, from: start)
        self.init(line, time: time, level: level, area: area, event: event)
    }

    /// `time=… level=… area=… event=… …`, in this order.
    init?(logfmt line: Span<UInt8>) {
        var start = 0
        guard let time = Self.member(line, &start, "time="),
            let level = Self.member(line, &start, "level="),
            let area = Self.member(line, &start, "area="),
            let event = Self.member(line, &start, "event=")
        else { return nil }
        self.init(line, time: time, level: level, area: area, event: event)
    }

    /// An object with these four names, in any order.
    init?(json line: Span<UInt8>) {
        var parts = InlineArray<4, Range<Int>?>(repeating: nil)
        do throws(JSONError) {
            var reader = JSONReader(line)
            var progress = JSONKeySet.Cursor()
            try reader.beginObject()
            while let member = try reader.nextMember(of: Self.names, &progress) {
                guard case .known(let index) = member else {
                    try reader.skipValue()
                    continue
                }
                let text = try reader.readText()
                guard let place = Self.place(of: text, in: line, &reader) else { return nil }
                parts[index] = place
            }
            try reader.finish()
        } catch {
            return nil
        }
        guard let time = parts[0], let level = parts[1], let area = parts[2], let event = parts[3]
        else { return nil }
        self.init(line, time: time, level: level, area: area, event: event)
    }

    static let names = JSONKeySet(["time", "level", "area", "event"])

    /// The range of a string in the line; nil if it contains escapes.
    static func place(
        of text: JSONStringToken, in line: Span<UInt8>, _ reader: inout JSONReader
    ) -> Range<Int>? {
        guard let plain = reader.plainBytes(of: text) else { return nil }
        return line.indices(of: plain)
    }

    /// The range up to the next ` | `; `start` moves past that.
    private static func part(_ line: Span<UInt8>, _ start: inout Int) -> Range<Int>? {
        let end = wordEnd(line, from: start)
        guard end + 3 <= line.count, line.extracting(end..<(end + 3)).isEqual(" | ") else {
            return nil
        }
        defer { start = end + 3 }
        return start..<end
    }

    /// The range of the word after `name`; `start` moves past the following space.
    private static func member(
        _ line: Span<UInt8>, _ start: inout Int, _ name: StaticString
    ) -> Range<Int>? {
        let wordStart = start + name.utf8CodeUnitCount
        guard wordStart <= line.count, line.extracting(start..<wordStart).isEqual(name) else {
            return nil
        }
        let end = wordEnd(line, from: wordStart)
        start = end + 1
        return wordStart..<end
    }

    private static func wordEnd(_ line: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < line.count, line[end] != UInt8(ascii: " ") { end += 1 }
        return end
    }

    private static let levels = Level.allCases
    private static let areas = Area.allCases

    private static func level(_ name: Span<UInt8>) -> Level? {
        for level in levels where name.isEqual(level.name) { return level }
        return nil
    }

    private static func area(_ name: Span<UInt8>) -> Area? {
        for area in areas where name.isEqual(area.name) { return area }
        return nil
    }
}
