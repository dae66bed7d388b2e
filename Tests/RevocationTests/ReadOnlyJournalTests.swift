import TestSupport
import Testing
import Time

@testable import Revocation

struct ReadOnlyJournalTests {
    private let folder = try! TemporaryFolder()

    @Test
    func `a reader sees the entries in force while a process has the journal`() throws {
        let path = folder.path("j")
        let owner = try Revocations(path: path, at: noon)
        try owner.revoke(.session("s"), at: minutes(1), until: evening)
        try owner.revoke(.everyone, at: minutes(2))
        _ = try owner.spend("t", at: minutes(3))
        let before = try folder.content("j")
        let names = folder.allNames
        let reader = try Revocations(reading: path, at: minutes(4))
        for table in [owner, reader] {
            #expect(
                table.finding(token: "x", session: "s", began: minutes(5))
                    == .revoked(at: minutes(1)))
            #expect(table.finding(began: noon) == .revoked(at: minutes(2)))
            #expect(
                table.finding(token: "t", session: "x", began: minutes(5))
                    == .alreadyUsed(at: minutes(3))
            )
            #expect(table.finding(token: "x", session: "x", began: minutes(5)) == nil)
        }
        #expect(reader.start.entries == 3)
        let later = try Revocations(reading: path, at: evening)
        #expect(later.finding(token: "x", session: "s", began: minutes(5)) == nil)
        try reader.revoke(.session("other"), at: minutes(6))
        #expect(try folder.content("j") == before)
        #expect(folder.allNames == names)
    }

    @Test func `a reader creates no journal, and refuses a file that is not one`() throws {
        let reader = try Revocations(reading: folder.path("j"), at: noon)
        #expect(reader.count == 0)
        #expect(folder.allNames == [])
        try folder.file("j", "something else")
        #expect(throws: RevocationsError.self) {
            try Revocations(reading: folder.path("j"), at: noon)
        }
    }
}
