import Foundation

/// Published test vectors.
///
/// A selection with cases of every kind is in the repository, in files of our own format: `lines`.
/// The published files as a whole are in a folder outside of the repository that the environment
/// variable GATEHOUSE_VECTORS names; without it the tests of whole files are skipped.
///
///     nist/        SHA256ShortMsg.rsp, SHA256LongMsg.rsp, SHA256Monte.rsp of the NIST CAVP
///     wycheproof/  hmac_sha256_test.json and others of C2SP/wycheproof, testvectors_v1
package enum Vectors {
    package static let folder = ProcessInfo.processInfo.environment["GATEHOUSE_VECTORS"]

    package static var areAvailable: Bool { folder != nil }

    /// The words of each line of a file that is neither empty nor a remark (`#`).
    /// - Parameters:
    ///   - file: of the folder `Vectors` beside the test.
    ///   - words: at most so many; the last one is the rest of its line. `-` stands for nothing.
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
