import JSON
import TestSupport
import Testing

struct JSONMutationTests {
    private static let seeds = [
        #"{"iss":"gate","sub":"7","exp":1300819380,"aud":["a","b"],"ok":true,"n":null}"#,
        #"[{"a":1},{"a":{"b":[[],{},[{}]]}},-0,9223372036854775807,-9223372036854775808]"#,
        #"{"\u0065xp":"\ud83d\ude00\n\"\\","é":"€😀","":" "}"#,
        #" [ 1 , 2.5e-3 , "x" , false , [ [ [ ] ] ] ] "#,
    ].map { Array($0.utf8) }

    private static let interesting =
        Array("{}[]\",:\\u0019eE+-.tfn \n".utf8) + [0x00, 0x80, 0xc3, 0xed, 0xf0, 0xff]

    /// One to three small changes to one of the seeds.
    private static func mutated(_ random: inout SeededGenerator) -> [UInt8] {
        var text = seeds.randomElement(using: &random)!
        for _ in 0..<Int.random(in: 1...3, using: &random) where !text.isEmpty {
            let index = Int.random(in: 0..<text.count, using: &random)
            let byte = interesting.randomElement(using: &random)!
            switch Int.random(in: 0..<7, using: &random) {
            case 0: text[index] = byte
            case 1: text[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: text.insert(byte, at: index)
            case 3: text.remove(at: index)
            case 4: text.removeSubrange(index...)
            case 5:
                let end = Int.random(in: index...text.count, using: &random)
                text.insert(contentsOf: Array(text[index..<end]), at: index)
            default:
                let other = seeds.randomElement(using: &random)!
                let start = Int.random(in: 0..<other.count, using: &random)
                let end = Int.random(in: start...other.count, using: &random)
                text.insert(contentsOf: other[start..<end], at: index)
            }
        }
        return text
    }

    @Test(arguments: 1...4)
    func `mutated texts never trap, and accepted ones are the same after writing`(seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        var accepted = 0
        for _ in 0..<5000 {
            let text = Self.mutated(&random)
            let comment = Comment(rawValue: String(decoding: text, as: UTF8.self))
            let error = errorOfParsing(text)
            let skipped = errorOfSkipping(text)
            if error?.reason != .numberOutOfRange { try #require(error == skipped, comment) }
            try #require((error?.offset ?? 0) <= text.count, comment)
            guard error == nil else { continue }
            accepted += 1
            let value = try JSONValue(parsing: text.span)
            guard let written = value.written else { continue }
            try #require(try JSONValue(parsing: written.span) == value, comment)
        }
        // The run is meaningful only if both outcomes are frequent.
        #expect((300...4500).contains(accepted))
    }
}
