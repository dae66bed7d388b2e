import Crypto
import Foundation
import JWT
import TestSupport
import Testing

@Suite("A token of a selection of Wycheproof")
struct WycheproofSelectionTests {
    @Test func `passes the signature exactly where it is called valid`() throws {
        var verifier: HS256?
        var verdicts: [String: Int] = [:]
        for words in try Vectors.lines(of: "hs256.txt", words: 3) {
            if words[0] == "key" {
                let secret = try Base64URL.decoded(Array(words[2].utf8).span)
                verifier = .with(keys: [(words[1], secret)])
                continue
            }
            let outcome = try #require(verifier).outcome(of: Array(words[2].utf8))
            // The payloads are no claims, so `claims` means that the signature held.
            #expect((outcome == .failure(.claims)) == (words[1] == "valid"), "tcId \(words[0])")
            #expect((try? outcome.get()) == nil, "tcId \(words[0])")
            verdicts[words[1], default: 0] += 1
        }
        #expect(verdicts["valid"] == 8)
        #expect(verdicts["invalid"] == 28)
    }
}

/// Project Wycheproof, the HS256 groups of testvectors_v1/json_web_signature_test.json: signatures
/// over payloads that are mostly no claims, so that `claims` means that the signature held.
@Suite("A token of Wycheproof", .enabled(if: Vectors.areAvailable, "GATEHOUSE_VECTORS is not set"))
struct WycheproofTests {
    private struct File: Decodable { let cases: [Case] }

    private struct Case: Decodable {
        let tcId: Int
        let group: String
        let k: String
        let jws: String
        let result: String
    }

    /// What the keys of the groups are called.
    private static let keyIDs = [
        "hs256": "kid-aes-sign", "base64": "hs256-key",
        "rfc7520": "018c0ae5-4d9b-471b-bfd6-eef314bc7037",
    ]

    /// 367 and 370 are called invalid, and are byte for byte the valid 357; 372 and 373 are called
    /// valid, and have a question mark in them.
    private static let mislabelled = [367, 370, 372, 373]

    @Test("passes the signature exactly where the file calls it valid")
    func everyCase() throws {
        let contents = try Vectors.contents(of: "wycheproof/hs256_subset.json")
        let cases = try JSONDecoder().decode(File.self, from: contents).cases
        #expect(cases.count >= 36)
        for vector in cases where !Self.mislabelled.contains(vector.tcId) {
            let id = try #require(Self.keyIDs[vector.group])
            let secret = try Base64URL.decoded(Array(vector.k.utf8).span)
            let outcome = HS256.with(keys: [(id, secret)]).outcome(of: Array(vector.jws.utf8))
            #expect(
                (outcome == .failure(.claims)) == (vector.result == "valid"), "\(vector.tcId)")
            #expect((try? outcome.get()) == nil, "\(vector.tcId)")
        }
    }
}
