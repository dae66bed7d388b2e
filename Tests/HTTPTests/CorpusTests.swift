import Foundation
import HTTP
import TestSupport
import Testing

/// The request corpus of gunicorn's tests. What it cannot judge here is left out: cases for its own
/// settings, and four whose verdict is not the one that RFC 9112 gives or that holds here.
private struct Case: Decodable {
    let id: String
    let raw: Data
    let expect: String
    let settings: [String]

    private enum CodingKeys: String, CodingKey {
        case id, expect
        case raw = "raw_b64"
        case settings = "config_dependent"
    }

    /// The bytes, with a Host where there is none, so that the verdict is about the rest.
    var bytes: [UInt8] {
        let bytes = [UInt8](raw)
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let hasHost = lines.contains { line in
            String(decoding: line, as: UTF8.self).lowercased().hasPrefix("host:")
        }
        guard !hasHost, lines[0].reversed().starts(with: wire(" HTTP/1.1\r").reversed()) else {
            return bytes
        }
        return lines[0] + wire("\nHost: x\r\n") + bytes[(lines[0].endIndex + 1)...]
    }
}

@Suite("gunicorn's corpus", .enabled(if: Vectors.areAvailable))
struct CorpusTests {
    private static let ignored = [
        "invalid/017", "invalid/rfc9112_chunked_missing_final_crlf_01",
        "invalid/rfc9110_trailer_forbidden_host_01", "valid/099",
    ]

    private static func cases(_ verdict: String) throws -> [Case] {
        let contents = try Vectors.contents(of: "corpus/gunicorn.json")
        return try JSONDecoder().decode([Case].self, from: contents).filter { item in
            item.expect == verdict && item.settings.isEmpty
                && !ignored.contains { item.id.contains("\($0).") }
        }
    }

    @Test("is refused where it says so, in 55 cases at least")
    func refused() throws {
        let refused = try Self.cases("reject").filter { reading(of: $0.bytes).refusal != nil }
        #expect(refused.count >= 55)
    }

    @Test("is served where it says so, but for what is refused here on purpose")
    func served() throws {
        let refused = try Self.cases("accept").filter { reading(of: $0.bytes).requests == [] }
        let onPurpose = [
            // A fragment, quotation marks, bytes above ASCII, user information in a target.
            "005", "009", "014", "027", "rfc9112_target_absolute_userinfo_01",
            // https, which nobody has secured.
            "rfc9112_target_absolute_https_01",
            // Another coding before chunked.
            "025", "025_line", "029", "030", "rfc9112_smuggle_gzip_chunked_01",
            "rfc9112_smuggle_te_identity_chunked_01",
        ]
        #expect(
            refused.map(\.id).sorted() == onPurpose.map { "gunicorn/valid/\($0).http" }.sorted())
    }
}
