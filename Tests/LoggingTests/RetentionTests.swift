import TestSupport
import Testing
import Time

@testable import Logging

struct RetentionTests {
    private static let day: Int64 = 86_400_000

    /// Archives, the oldest first: bytes, and days since they were written.
    private static func files(_ values: [(size: Int, age: Int64)]) -> [Retention.Archive] {
        values.enumerated().map { index, value in
            Retention.Archive(
                number: index + 1, size: value.size,
                modified: someTime.milliseconds - value.age * day)
        }
    }

    private static let five = [(100, 5), (100, 4), (100, 3), (100, 2), (100, 1)] as [(Int, Int64)]

    struct Case: Sendable {
        var limit = 100
        var days: Int64?
        var size: Int?
        var files = five
        var current = 0
        var count: Int
        var reason: String?
    }

    @Test(arguments: [
        Case(count: 0), Case(limit: 5, count: 0), Case(limit: 3, count: 2, reason: "count"),
        Case(limit: 0, count: 5, reason: "count"), Case(limit: 0, files: [], count: 0),
        // A file is removed when it reaches the maximum age, and not a millisecond before.
        Case(days: 6, count: 0), Case(days: 5, count: 1, reason: "age"),
        Case(days: 3, count: 3, reason: "age"), Case(days: 0, count: 5, reason: "age"),
        Case(days: 1, files: [], count: 0),
        Case(size: 500, count: 0), Case(size: 499, count: 1, reason: "size"),
        Case(size: 300, count: 2, reason: "size"), Case(size: 99, count: 5, reason: "size"),
        Case(size: 0, count: 5, reason: "size"), Case(size: 0, files: [], count: 0),
        // The current file counts at its maximum size.
        Case(size: 500, current: 1, count: 1, reason: "size"),
        Case(size: 500, current: 100, count: 1, reason: "size"),
        Case(size: 100, current: 101, count: 5, reason: "size"),
        Case(size: 100, files: [], current: 101, count: 0),
        // The limit that removes most gives the reason; the first of them if they remove as many.
        Case(limit: 3, days: 4, size: 300, count: 2, reason: "count"),
        Case(limit: 4, days: 4, size: 300, count: 2, reason: "age"),
        Case(limit: 4, days: 4, size: 299, count: 3, reason: "size"),
        Case(limit: 1, days: 4, size: 300, count: 4, reason: "count"),
        // If the oldest file stays, all later files stay, too.
        Case(days: 3, files: [(1, 0), (1, 9), (1, 9)], count: 0),
        Case(days: 3, files: [(1, 9), (1, 0), (1, 9)], count: 1, reason: "age"),
        // A clock that was set back.
        Case(days: 1, files: [(1, -3), (1, -2)], count: 0),
        // The oldest files are removed first, whatever their sizes are.
        Case(size: 10, files: [(1, 1), (50, 1), (1, 1)], count: 2, reason: "size"),
        Case(size: 10, files: [(0, 1), (0, 1), (11, 1)], count: 3, reason: "size"),
    ])
    func `the oldest archives are removed that are too many, too old or too large`(_ row: Case) {
        let retention = Retention(
            maximumFiles: row.limit,
            maximumAge: row.days.map { TimeAmount(milliseconds: $0 * Self.day) },
            maximumTotalSize: row.size)
        let excess = retention.excess(of: Self.files(row.files), besides: row.current, someTime)
        #expect(excess.files.map(\.number) == Array(0..<row.count).map { $0 + 1 })
        #expect(excess.reason.map { "\($0)" } == row.reason)
    }

    @Test func `an archive is removed at the millisecond of the maximum age`() {
        let retention = Retention(maximumFiles: 9, maximumAge: TimeAmount(milliseconds: Self.day))
        let file = Self.files([(1, 1)])
        #expect(retention.excess(of: file, besides: 0, someTime).files.count == 1)
        let before = someTime + TimeAmount(milliseconds: -1)
        #expect(retention.excess(of: file, besides: 0, before).files.isEmpty)
    }

    @Test func `retention removes the oldest archives and no more than necessary`() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<5000 {
            let files = (1...Int.random(in: 1...8, using: &generator)).map { number in
                Retention.Archive(
                    number: number, size: Int.random(in: 0...50, using: &generator),
                    modified: someTime.milliseconds - .random(in: -10...100, using: &generator))
            }
            let retention = Retention(
                maximumFiles: .random(in: 0...8, using: &generator),
                maximumAge: Bool.random(using: &generator)
                    ? TimeAmount(milliseconds: .random(in: 0...100, using: &generator)) : nil,
                maximumTotalSize: Bool.random(using: &generator)
                    ? .random(in: 0...300, using: &generator) : nil)
            let currentSize = Int.random(in: 0...50, using: &generator)
            let (removed, reason) = retention.excess(of: files, besides: currentSize, someTime)
            #expect(Array(removed) == Array(files.prefix(removed.count)))
            #expect((reason == nil) == removed.isEmpty)
            let kept = files.dropFirst(removed.count)
            func isEnough(_ kept: ArraySlice<Retention.Archive>) -> Bool {
                let isOld = kept.first.map { file in
                    retention.maximumAge.map {
                        Timestamp(milliseconds: file.modified) + $0 <= someTime
                    } ?? false
                }
                let size = kept.reduce(currentSize) { $0 + $1.size }
                return kept.count <= retention.maximumFiles && isOld != true
                    && (kept.isEmpty || retention.maximumTotalSize.map { size <= $0 } ?? true)
            }
            #expect(isEnough(kept))
            if !removed.isEmpty { #expect(!isEnough(files.dropFirst(removed.count - 1))) }
        }
    }
}
