import SHAInstructions
import TestSupport
import Testing

@testable import Crypto

@Suite(.enabled(if: SHAInstructions.isSupported))
struct SHAInstructionsTests {
    @Test(arguments: 0...8)
    func `the SHA instructions give the same state as the portable implementation`(blocks: Int) {
        var generator = SeededGenerator(seed: UInt64(blocks))
        for _ in 0..<200 {
            let bytes = (0..<(64 * blocks)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            func word() -> UInt32 { UInt32.random(in: 0 ... .max, using: &generator) }
            let start = SHA256State(
                a: word(), b: word(), c: word(), d: word(), e: word(), f: word(), g: word(),
                h: word())
            var (portable, accelerated) = (start, start)
            bytes.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                portable.compressPortable(base, blocks: blocks)
                withUnsafeMutableBytes(of: &accelerated) {
                    SHAInstructions.compress($0.baseAddress!, base, blocks: blocks)
                }
            }
            #expect(portable == accelerated)
        }
    }
}

struct PortableSHA256Tests {
    /// FIPS 180-4 §5.1.1 around the portable compression.
    private func digest(_ message: [UInt8]) -> [UInt8] {
        var padded = message + [0x80]
        padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
        for shift in stride(from: 56, through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: (message.count * 8) >> shift))
        }
        var state = SHA256State.initial
        padded.withUnsafeBytes {
            state.compressPortable($0.baseAddress!, blocks: padded.count / 64)
        }
        return [state.a, state.b, state.c, state.d, state.e, state.f, state.g, state.h].flatMap {
            word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
        }
    }

    @Test func `the portable implementation gives the published digests`() {
        // NIST, Cryptographic Standards and Guidelines, example values for SHA-256.
        #expect(
            hexadecimal(digest(Array("abc".utf8)).span)
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hexadecimal(digest([]).span)
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test
    func `the portable implementation gives the digests of the default one at every length`() {
        var generator = SeededGenerator(seed: 7)
        for count in 0...300 {
            let message = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let used = SHA256.digest(of: message.span)
            #expect(hexadecimal(digest(message).span) == hexadecimal(used.span))
        }
    }
}
