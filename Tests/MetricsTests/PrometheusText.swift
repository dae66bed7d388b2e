/// A reader of the Prometheus text format 0.0.4. It follows the format's description, not the
/// writer, so that it does not repeat the writer's mistakes. Everything unexpected is an error.
struct PrometheusText {
    struct FormatError: Error, CustomStringConvertible {
        let description: String
    }

    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    struct Family: Equatable {
        let name: String
        let help: String
        let kind: String
        var samples: [Sample] = []
    }

    private(set) var families: [Family] = []

    init(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.isEmpty || text.utf8.last == 0x0A else {
            throw FormatError(description: "no newline at the end")
        }
        var help: (name: String, text: String)?
        // By scalars: a carriage return and a line feed after it would be one Character.
        for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
            .dropLast()
        {
            let line = String(line)
            if line.hasPrefix("# HELP ") {
                let (name, text) = try Self.word(line.dropFirst(7))
                help = (name, try Self.unescape(text, quoted: false))
            } else if line.hasPrefix("# TYPE ") {
                let (name, kind) = try Self.word(line.dropFirst(7))
                guard let given = help, given.name == name else {
                    throw FormatError(description: "TYPE without its HELP: \(line)")
                }
                guard !families.contains(where: { $0.name == name }) else {
                    throw FormatError(description: "\(name) occurs twice")
                }
                families.append(Family(name: name, help: given.text, kind: String(kind)))
                help = nil
            } else {
                guard help == nil, let family = families.indices.last else {
                    throw FormatError(description: "a sample outside its family: \(line)")
                }
                try add(Self.sample(line), to: family)
            }
        }
    }

    subscript(name: String) -> Family? { families.first { $0.name == name } }

    /// The value of the sample with this name and these labels.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
    }

    private mutating func add(_ sample: Sample, to index: Int) throws {
        let family = families[index]
        let suffixes = family.kind == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { family.name + $0 == sample.name }) else {
            throw FormatError(description: "\(sample.name) does not belong to \(family.name)")
        }
        guard
            !family.samples.contains(where: {
                $0.name == sample.name && $0.labels == sample.labels
            })
        else { throw FormatError(description: "\(sample) occurs twice") }
        families[index].samples.append(sample)
    }

    private static func word(_ text: Substring) throws -> (String, Substring) {
        guard let space = text.firstIndex(of: " ") else {
            throw FormatError(description: "\(text)")
        }
        return (String(text[..<space]), text[text.index(after: space)...])
    }

    private static func sample(_ line: String) throws -> Sample {
        var rest = Substring(line).unicodeScalars
        let name = String(String.UnicodeScalarView(rest.prefix { isNameScalar($0) }))
        rest = rest.drop { isNameScalar($0) }
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            while rest.first != "}" {
                let label = String(String.UnicodeScalarView(rest.prefix { isNameScalar($0) }))
                rest = rest.drop { isNameScalar($0) }
                guard !label.isEmpty, rest.popFirst() == "=", rest.popFirst() == "\"" else {
                    throw FormatError(description: line)
                }
                var value = String.UnicodeScalarView()
                while let scalar = rest.popFirst(), scalar != "\"" {
                    value.append(scalar)
                    if scalar == "\\", let next = rest.popFirst() { value.append(next) }
                }
                let text = try unescape(Substring(String(value)), quoted: true)
                guard labels.updateValue(text, forKey: label) == nil else {
                    throw FormatError(description: "\(label) occurs twice: \(line)")
                }
                if rest.first == "," { rest.removeFirst() }
            }
            rest.removeFirst()
        }
        guard rest.popFirst() == " ", !name.isEmpty else { throw FormatError(description: line) }
        let text = String(rest)
        let named: [String: Double] = ["+Inf": .infinity, "-Inf": -.infinity, "NaN": .nan]
        guard let value = named[text] ?? Double(text) else { throw FormatError(description: line) }
        return Sample(name: name, labels: labels, value: value)
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            || scalar == "_" || scalar == ":"
    }

    private static func unescape(_ text: Substring, quoted: Bool) throws -> String {
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars
        while let scalar = rest.popFirst() {
            guard scalar == "\\" else {
                result.append(scalar)
                continue
            }
            switch rest.popFirst() {
            case "\\": result.append("\\")
            case "n": result.append("\n")
            case "\"" where quoted: result.append("\"")
            default: throw FormatError(description: "invalid escape in \(text)")
            }
        }
        return String(result)
    }
}
