import Foundation
import FuzzTargets
import TestSupport
import Testing

/// Runs each fuzz target over its corpus and, for a short time, over mutations of it;
/// `Tests/Scripts/fuzz.py` fuzzes for longer. A failure shows the input in the form of the corpus.
/// If the program traps, the file `input` in the test's folder contains the input.
struct FuzzTests {
    @Test(arguments: FuzzTarget.all.map(\.name))
    func `every corpus input satisfies the properties of its target`(name: String) throws {
        let run = try Run(name)
        for seed in run.corpus.seeds { try run.check(seed) }
        #expect(!run.corpus.seeds.isEmpty)
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func `every mutation of a corpus input satisfies the properties of its target`(name: String)
        throws
    {
        let run = try Run(name)
        // Under a sanitizer each round takes several times as long.
        let usual = run.target.usualRounds / (TestScale.isSanitized ? 3 : 1)
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<TestScale.rounds(usual, long: usual * 50) {
            try run.check(run.corpus.mutant(&generator))
        }
    }

    @Test func `the escapes of corpus files are decoded and encoded correctly`() throws {
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
