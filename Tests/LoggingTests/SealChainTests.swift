import Crypto
import Testing
import Time

@testable import Logging

struct SealChainTests {
    private let key = SealKey(secret: Array("a key for the tests of the seal.".utf8).span)
    private let lines = Array("one line\nanother line\n".utf8)

    private func seal(_ chain: inout SealChain) -> String {
        let (line, head) = chain.seal(.interval, key: key, at: someTime, .text)
        chain.advance(to: head)
        return String(decoding: line, as: UTF8.self)
    }

    @Test
    func `a seal is the HMAC of the previous code, its number, and every byte since`() throws {
        var chain = SealChain()
        chain.update(lines.span)
        let line = seal(&chain)
        let (body, code) = try #require(split(line))
        let digest = SHA256.digest(of: (lines + Array(body.utf8)).span)
        var message = [UInt8](repeating: 0, count: 32) + [0, 0, 0, 0, 0, 0, 0, 1]
        for index in 0..<32 { message.append(digest.bytes[index]) }
        let own = HMACSHA256.Key(Array("a key for the tests of the seal.".utf8).span).derived(
            label: "gatehouse log seal v1")
        let expected = HMACSHA256.code(for: message.span, key: own)
        #expect(code == hexadecimal(expected.span))
        #expect(
            body.hasPrefix("\(someStamp)INFO | log | log_seal sequence=1 n=2 sum="))
        #expect(chain.head == SealHead(sequence: 1, code: try #require(Self.code(code))))
    }

    private func isValid(_ seal: SealLine, _ line: [UInt8], _ chain: SealChain) -> Bool {
        let coded = line.span.extracting(0..<seal.codedCount)
        return seal.code == chain.code(key, after: seal.previous, seal.sequence, closing: coded)
    }

    private static func code(_ text: String) -> SealMAC? { SealMAC(Array(text.utf8).span) }

    private func read(_ line: ArraySlice<UInt8>) -> SealLine? { SealLine(Array(line).span) }

    private func split(_ line: String) -> (body: String, code: String)? {
        guard let range = line.firstRange(of: " mac=") else { return nil }
        return (String(line[..<range.lowerBound]), String(line[range.upperBound...].dropLast()))
    }

    @Test func `a seal does not depend on how the bytes were divided`() {
        var complete = SealChain()
        complete.update(lines.span)
        var bytewise = SealChain()
        for byte in lines { bytewise.update([byte].span) }
        #expect(seal(&complete) == seal(&bytewise))
    }

    @Test(arguments: LogFormat.allCases)
    func `a seal line is parsed back as it was written`(format: LogFormat) throws {
        var chain = SealChain()
        chain.update(lines.span)
        for reason in SealChain.Reason.allCases {
            let (line, head) = chain.seal(reason, key: key, at: someTime, format)
            let seal = try #require(read(line.dropLast()))
            #expect(seal.head == head)
            #expect(seal.previous == chain.head.code)
            #expect(seal.reason == reason)
            #expect(seal.lineCount == chain.lineCount)
            #expect(seal.sum == chain.sum)
            #expect(seal.keyID == key.id)
            #expect(seal.format == format)
            #expect(isValid(seal, line, chain))
            chain.advance(to: head)
        }
    }

    @Test(arguments: LogFormat.allCases)
    func `a seal line with any changed byte is not parsed or has a wrong code`(format: LogFormat)
        throws
    {
        var chain = SealChain()
        chain.update(lines.span)
        let line = Array(chain.seal(.stop, key: key, at: someTime, format).line.dropLast())
        for index in line.indices {
            for bit in 0..<8 {
                var changed = line
                changed[index] ^= 1 << bit
                guard let seal = read(changed[...]) else { continue }
                #expect(!isValid(seal, changed, chain))
            }
        }
        for count in line.indices { #expect(read(line[..<count]) == nil) }
        #expect(read((line + [0x20])[...]) == nil)
    }

    @Test func `the sum of line hashes does not depend on the order of the lines`() {
        var forwards = SealChain()
        forwards.update(Array("one\ntwo\nthree\n".utf8).span)
        var backwards = SealChain()
        backwards.update(Array("three\ntwo\none\n".utf8).span)
        var others = SealChain()
        others.update(Array("one\ntwo\nthrew\n".utf8).span)
        #expect(forwards.sum == backwards.sum)
        #expect(forwards.sum != others.sum)
        #expect(forwards.lineCount == 3)
    }

    @Test func `a seal does not depend on how a long line was divided`() {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 200_000) + Array("\nshort\n".utf8)
        var complete = SealChain()
        complete.update(long.span)
        for size in [1000, 65_535, 65_536, 65_537, 199_999] {
            var pieces = SealChain()
            for start in stride(from: 0, to: long.count, by: size) {
                pieces.update(long.span.extracting(start..<min(start + size, long.count)))
            }
            #expect(seal(&pieces) == seal(&complete))
            complete = SealChain()
            complete.update(long.span)
        }
    }

    @Test func `a key ID has eight characters and differs between keys`() {
        let other = SealKey(secret: Array("another key for the seal's tests".utf8).span)
        #expect(key.id != other.id)
        #expect(key.id.utf8.count == 8)
    }

    @Test func `a head is written as SEQUENCE.CODE, and only that is parsed`() throws {
        var chain = SealChain()
        _ = seal(&chain)
        #expect(SealHead(chain.head.text) == chain.head)
        #expect(chain.head.text.hasPrefix("1."))
        let code = chain.head.code.text
        for wrong in [
            "", ".", "1", "1.", ".\(code)", "01.\(code)", "+1.\(code)", "1.\(code)=",
            "1.\(code).", "-1.\(code)", "99999999999999999999.\(code)", "1.\(code.dropLast())",
        ] {
            #expect(SealHead(wrong) == nil)
        }
    }

    @Test func `a seal with sequence number 0 is not parsed`() {
        var chain = SealChain()
        let line = seal(&chain).replacing("sequence=1 ", with: "sequence=0 ")
        let isSeal = read(Array(line.utf8.dropLast())[...]) != nil
        #expect(!isSeal)
    }
}
