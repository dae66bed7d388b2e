import Foundation

/// Published test vectors.
///
/// The repository contains a selection with cases of every kind, in its own format: see `lines`.
/// The complete published files are in a folder outside of the repository, named by the environment
/// variable GATEHOUSE_VECTORS. Without it the tests of complete files are skipped.
///
///     nist/        SHA256ShortMsg.rsp, SHA256LongMsg.rsp, SHA256Monte.rsp of the NIST CAVP
///     wycheproof/  hmac_sha256_test.json and others of C2SP/wycheproof, testvectors_v1
package enum Vectors {
    package static let folder = ProcessInfo.processInfo.environment["GATEHOUSE_VECTORS"]

    package static var areAvailable: Bool { folder != nil }

    /// The words of each line of a file, without empty lines and comments (`#`).
    /// - Parameters:
    ///   - file: a name in the folder `Vectors` next to the test.
    ///   - words: the maximum number of words; the last one is the rest of its line. `-` is an
    ///     empty word.
    package static func lines(
        of file: String, words: Int, beside test: String = #filePath
    ) throws -> [[String]] {
        let folder = URL(filePath: test).deletingLastPathComponent()
        let url = folder.appending(path: "Vectors/\(file)")
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: " ", maxSplits: words - 1).map { $0 == "-" ? "" : "\($0)" } }
    }

    package static func contents(of path: String) throws -> Data {
        try Data(contentsOf: URL(filePath: folder ?? ".").appending(path: path))
    }
}
