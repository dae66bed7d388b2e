/// Secrets that stand in the README or the example: everybody has them.
enum PublishedKeys {
    private static let all = [
        "replace-me-with-the-output-of-gatehouse-secret"
    ]

    static func contains(_ secret: [UInt8]) -> Bool {
        all.contains { Array($0.utf8) == secret }
    }
}
