import Crypto
import Foundation
import JWT
import TestSupport
import Testing

struct WycheproofSelectionTests {
    @Test func `the selected Wycheproof signatures are valid exactly if the file says so`() throws {
        var verifier: HS256?
        var verdicts: [String: Int] = [:]
        for words in try Vectors.lines(of: "hs256.txt", words: 3) {
            if words[0] == "key" {
                let secret = try Base64URL.decoded(Array(words[2].utf8).span)
                verifier = .with(keys: [(words[1], secret)])
                continue
            }
            let outcome = try #require(verifier).outcome(of: Array(words[2].utf8))
            // The payloads are not valid claims, so the error `claims` means that the signature is
            // valid.
            #expect((outcome == .failure(.claims)) == (words[1] == "valid"), "tcId \(words[0])")
            #expect((try? outcome.get()) == nil, "tcId \(words[0])")
            verdicts[words[1], default: 0] += 1
        }
        #expect(verdicts["valid"] == 8)
        #expect(verdicts["invalid"] == 28)
    }
}

/// Project Wycheproof, the HS256 groups of testvectors_v1/json_web_signature_test.json. Most
/// payloads are not valid claims, so the error `claims` means that the signature is valid.
@Suite(.enabled(if: Vectors.areAvailable, "GATEHOUSE_VECTORS is not set"))
struct WycheproofTests {
    private struct File: Decodable { let cases: [Case] }

    private struct Case: Decodable {
        let tcId: Int
        let group: String
        let k: String
        let jws: String
        let result: String
    }

    /// The key IDs of the groups.
    private static let keyIDs = [
        "hs256": "kid-aes-sign", "base64": "hs256-key",
        "rfc7520": "018c0ae5-4d9b-471b-bfd6-eef314bc7037",
    ]

    /// 367 and 370 are labeled invalid, but are byte for byte the valid 357. 372 and 373 are
    /// labeled valid, but contain a question mark.
    private static let mislabeled = [367, 370, 372, 373]

    @Test func `all Wycheproof signatures are valid exactly if the file says so`() throws {
        let contents = try Vectors.contents(of: "wycheproof/hs256_subset.json")
        let cases = try JSONDecoder().decode(File.self, from: contents).cases
        #expect(cases.count >= 36)
        for vector in cases where !Self.mislabeled.contains(vector.tcId) {
            let id = try #require(Self.keyIDs[vector.group])
            let secret = try Base64URL.decoded(Array(vector.k.utf8).span)
            let outcome = HS256.with(keys: [(id, secret)]).outcome(of: Array(vector.jws.utf8))
            #expect(
                (outcome == .failure(.claims)) == (vector.result == "valid"), "\(vector.tcId)")
            #expect((try? outcome.get()) == nil, "\(vector.tcId)")
        }
    }
}
