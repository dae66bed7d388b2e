/// Text from a stranger on its way to a terminal: nothing in it is a command to the terminal.
enum VisibleText {
    /// ASCII as it stands, all else as `\u{NNNN}`; what is longer than the limit is cut.
    static func of(_ text: String, limit: Int = 80) -> String {
        var shown = ""
        for (count, scalar) in text.unicodeScalars.enumerated() {
            if count == limit { return shown + "…" }
            switch scalar.value {
            case 0x5C: shown += "\\\\"
            case 0x20..<0x7F: shown.unicodeScalars.append(scalar)
            default: shown += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return shown
    }
}
