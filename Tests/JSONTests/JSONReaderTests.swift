import JSON
import Testing

/// The error of one reading step at the start of `text`.
private func error(
    _ text: String, _ step: (inout JSONReader) throws(JSONError) -> Void
) -> JSONError? {
    let bytes = Array(text.utf8)
    var reader = JSONReader(bytes.span)
    do throws(JSONError) {
        try step(&reader)
        return nil
    } catch {
        return error
    }
}

private func integer(_ text: String) throws(JSONError) -> Int64 {
    let bytes = Array(text.utf8)
    var reader = JSONReader(bytes.span)
    let value = try reader.readInteger()
    try reader.finish()
    return value
}

private func number(_ text: String) throws(JSONError) -> JSONNumber {
    let bytes = Array(text.utf8)
    var reader = JSONReader(bytes.span)
    let value = try reader.readNumber()
    try reader.finish()
    return value
}

struct JSONReaderTests {
    @Test func `the reader returns the values of a text in order`() throws {
        let bytes = Array(#" {"sub":"7", "exp":1.5, "scopes":["a",true,null], "x":{}} "#.utf8)
        var reader = JSONReader(bytes.span)
        var values: [String] = []

        try reader.beginObject()
        while let name = try reader.nextName() {
            switch reader.string(of: name) {
            case "sub": values.append(reader.string(of: try reader.readText()))
            case "exp": values.append("\(try reader.readNumber())")
            case "scopes":
                try reader.beginArray()
                while try reader.nextElement() {
                    switch try reader.peekKind() {
                    case .string: values.append(reader.string(of: try reader.readText()))
                    case .boolean: values.append("\(try reader.readBoolean())")
                    case .null:
                        try reader.readNull()
                        values.append("null")
                    default: values.append("?")
                    }
                }
            default: try reader.skipValue()
            }
        }
        try reader.finish()

        #expect(values == ["7", "fraction(1.5)", "a", "true", "null"])
    }

    @Test(
        arguments: [
            ("{", .object), ("[", .array), ("\"", .string), ("-", .number), ("0", .number),
            ("9", .number), ("t", .boolean), ("f", .boolean), ("n", .null), (" \n\t\r[", .array),
        ] as [(String, JSONReader.Kind)])
    func `peekKind returns the type of the next value without reading it`(
        text: String, kind: JSONReader.Kind
    ) throws {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes.span)
        let first = try reader.peekKind()
        let second = try reader.peekKind()
        #expect(first == kind)
        #expect(second == kind)
    }

    @Test func `skipValue skips one value, and the next one can be read`() throws {
        let bytes = Array(#"[{"a":[1,{"b":[]}],"c":"]}"},  [[]] ,"\"",1e400,true,null,7]"#.utf8)
        var reader = JSONReader(bytes.span)
        var values = 0
        var last: Int64?
        try reader.beginArray()
        while try reader.nextElement() {
            values += 1
            if values == 7 { last = try reader.readInteger() } else { try reader.skipValue() }
        }
        try reader.finish()
        #expect(last == 7)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("42", 42), ("-42", -42), (" 7 ", 7),
            ("9223372036854775807", .max), ("-9223372036854775807", -.max),
            ("-9223372036854775808", .min),
        ] as [(String, Int64)])
    func `integers of 64 bits are read`(text: String, value: Int64) throws {
        #expect(try integer(text) == value)
    }

    @Test(
        arguments: [
            ("9223372036854775808", .numberOutOfRange), ("-9223372036854775809", .numberOutOfRange),
            ("92233720368547758070", .numberOutOfRange),
            ("18446744073709551616", .numberOutOfRange),
            ("99999999999999999999999999999999999999999", .numberOutOfRange),
            ("1.0", .notAnInteger), ("1e0", .notAnInteger), ("1E2", .notAnInteger),
            ("-0.0", .notAnInteger), ("1e400", .notAnInteger),
            ("99999999999999999999.5", .notAnInteger),
            ("true", .wrongType), ("false", .wrongType), ("null", .wrongType),
            ("\"1\"", .wrongType),
            ("[1]", .wrongType), ("{}", .wrongType), ("+1", .wrongType), ("x", .wrongType),
        ] as [(String, JSONError.Reason)])
    func `other values are refused as integers`(text: String, reason: JSONError.Reason) {
        #expect(throws: JSONError(reason, at: 0)) { try integer(text) }
        #expect(throws: JSONError(reason, at: 2)) { try integer("  \(text)") }
    }

    @Test func `numbers that are not integers are read as Double, if one is large enough`() throws {
        #expect(try number("1.0") == .fraction(1))
        #expect(try number("1e0") == .fraction(1))
        #expect(try number("9223372036854775808") == .fraction(0x1p63))
        #expect(throws: JSONError(.numberOutOfRange, at: 1)) { try number(" 1e400") }
        #expect(throws: JSONError(.numberOutOfRange, at: 0)) { try number("-1e400") }
    }

    @Test func `a number of any size can be skipped`() {
        #expect(error("1e400") { reader throws(JSONError) in try reader.skipValue() } == nil)
        #expect(error("-9e99999") { reader throws(JSONError) in try reader.skipValue() } == nil)
    }

    @Test(
        arguments: ["{}", "[]", "\"a\"", "1", "-1", "true", "false", "null"])
    func `a reading function refuses values of other types`(text: String) {
        let wrongType = JSONError(.wrongType, at: 0)
        func check(_ first: String, _ step: (inout JSONReader) throws(JSONError) -> Void) {
            let isExpected = first.utf8.contains(text.utf8.first!)
            #expect(error(text, step) == (isExpected ? nil : wrongType))
        }
        check("{") { reader throws(JSONError) in try reader.beginObject() }
        check("[") { reader throws(JSONError) in try reader.beginArray() }
        check("\"") { reader throws(JSONError) in _ = try reader.readText() }
        check("-1") { reader throws(JSONError) in _ = try reader.readNumber() }
        check("-1") { reader throws(JSONError) in _ = try reader.readInteger() }
        check("tf") { reader throws(JSONError) in _ = try reader.readBoolean() }
        check("n") { reader throws(JSONError) in try reader.readNull() }
    }

    @Test func `a value of the wrong type is not consumed`() throws {
        let bytes = Array(#" "text" "#.utf8)
        var reader = JSONReader(bytes.span)
        #expect(throws: JSONError(.wrongType, at: 1)) { try Self.refuse(bytes) }
        let found = try? reader.readInteger()
        let text = reader.string(of: try reader.readText())
        try reader.finish()
        #expect(found == nil)
        #expect(text == "text")
    }

    private static func refuse(_ bytes: [UInt8]) throws(JSONError) {
        var reader = JSONReader(bytes.span)
        _ = try reader.readInteger()
    }

    @Test func `finish accepts only white space after the value`() {
        #expect(error("1 \t\r\n", readOne) == nil)
        #expect(error("1 ,", readOne) == JSONError(.trailingBytes, at: 2))
        #expect(error("", readOne) == JSONError(.unexpectedEnd, at: 0))
    }

    private func readOne(_ reader: inout JSONReader) throws(JSONError) {
        try reader.skipValue()
        try reader.finish()
    }
}
