import Foundation
import HTTP
import TestSupport
import Testing

/// A case from the request corpus of gunicorn's tests. Left out are cases for gunicorn's own
/// settings, and four whose verdict differs from that of RFC 9112 or of this server.
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

    /// The bytes, with a Host field added if there is none, so that it does not decide the verdict.
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

@Suite(.enabled(if: Vectors.areAvailable))
struct GunicornCorpusTests {
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

    @Test func `at least 55 requests that gunicorn rejects are rejected`() throws {
        let refused = try Self.cases("reject").filter { reading(of: $0.bytes).refusal != nil }
        #expect(refused.count >= 55)
    }

    @Test
    func `every request that gunicorn accepts is served, except those rejected on purpose`() throws
    {
        let refused = try Self.cases("accept").filter { reading(of: $0.bytes).requests == [] }
        let onPurpose = [
            // A fragment, quotation marks, bytes above ASCII, user information in a target.
            "005", "009", "014", "027", "rfc9112_target_absolute_userinfo_01",
            // https on a connection without TLS.
            "rfc9112_target_absolute_https_01",
            // Another coding before chunked.
            "025", "025_line", "029", "030", "rfc9112_smuggle_gzip_chunked_01",
            "rfc9112_smuggle_te_identity_chunked_01",
        ]
        #expect(
            refused.map(\.id).sorted() == onPurpose.map { "gunicorn/valid/\($0).http" }.sorted())
    }
}
