import Foundation
import FuzzTargets
import TestSupport
import Testing

/// What libFuzzer looks for by the hour (`Tests/Scripts/fuzz.py`), over what it has found until now and,
/// for moments, over more. A failure shows the input as the corpus has it; where the program trapped, the
/// input is what the file `input` in the test's folder holds.
@Suite("Bytes from outside")
struct FuzzTests {
    @Test("break no rule of those who read them", arguments: FuzzTarget.all.map(\.name))
    func corpus(name: String) throws {
        let run = try Run(name)
        for seed in run.corpus.seeds { try run.check(seed) }
        #expect(!run.corpus.seeds.isEmpty)
    }

    @Test("break none either when chance has changed them", arguments: FuzzTarget.all.map(\.name))
    func mutations(name: String) throws {
        let run = try Run(name)
        // Under a sanitizer each takes several times as long.
        let usual = run.target.usualRounds / (TestScale.isSanitized ? 3 : 1)
        var dice = SeededGenerator(seed: 5)
        for _ in 0..<TestScale.rounds(usual, long: usual * 50) {
            try run.check(run.corpus.mutant(&dice))
        }
    }

    @Test("have a corpus that is read as it is written")
    func spelling() throws {
        let all = try FuzzTarget.all.flatMap { try Corpus(named: $0.name).seeds }
        #expect(all.contains { $0.contains(0xFF) && $0.contains(UInt8(ascii: "\\")) })
        #expect(Corpus.text(of: Array("a\"\\\r\n\u{7F}".utf8)) == #""a\"\\\r\n\x7f""#)
    }
}

private struct Run {
    let target: FuzzTarget
    let corpus: Corpus
    private let folder: TemporaryFolder

    init(_ name: String) throws {
        target = try #require(FuzzTarget.all.first { $0.name == name })
        corpus = try Corpus(named: name)
        folder = try TemporaryFolder()
    }

    func check(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(filePath: folder.path("input")))
        do {
            try target.check(bytes, folder.path)
        } catch {
            Issue.record("\(target.name): \(error)\nseed \(Corpus.text(of: bytes))")
        }
    }
}
