import Foundation
import TestSupport
import Testing

@testable import App

private let secret = "0123456789abcdef0123456789ABCDEF"

struct ConfigurationChangeTests {
    private let folder = try! TemporaryFolder()

    private func load(_ content: String) throws -> Configuration {
        try .load(file: folder.file("c.json", content), environment: [:])
    }

    private func changes(_ old: String, _ new: String) throws -> [String] {
        try load(old).changes(to: load(new))
    }

    @Test func `changed settings are named in sorted order, in both directions`() throws {
        #expect(try changes("{}", "{}") == [])
        #expect(try changes("{}", #"{"server":{"port":8080}}"#) == [])
        let other = #"{"server":{"port":1},"log":{"level":"ERROR","areas":{"http":"DEBUG"}}}"#
        let names = ["log.areas.http", "log.level", "server.port"]
        #expect(try changes("{}", other) == names)
        #expect(try changes(other, "{}") == names)
        #expect(
            try changes("{}", #"{"server":{"trusted_proxies":["::1"]},"admin":{"socket":"a"}}"#)
                == ["admin.socket", "server.trusted_proxies"])
        #expect(
            try changes("{}", #"{"login":{"mode":"demo","iterations":1000}}"#)
                == ["login.iterations", "login.mode"])
    }

    @Test func `a changed secret is named, but never shown`() throws {
        func keys(_ id: String, _ secret: String) -> String {
            #"{"token":{"keys":[{"id":"\#(id)","secret":"\#(secret)"}]}}"#
        }
        #expect(try changes(keys("a", secret), keys("a", secret)) == [])
        #expect(try changes(keys("a", secret), keys("a", secret + "x")) == ["token.keys[0]"])
        #expect(try changes(keys("a", secret), keys("b", secret)) == ["token.keys[0].id"])
        #expect(
            try changes("{}", #"{"log":{"seal_secret":"\#(secret)"}}"#) == ["log.seal_secret"])
        // The content of the file changes, and its name does not.
        let file = #"{"log":{"seal_secret_file":"k"}}"#
        try folder.file("k", secret)
        let before = try load(file)
        try folder.file("k", secret + "x")
        #expect(try before.changes(to: load(file)) == ["log.seal_secret"])
        #expect(!before.settings.values.contains { $0.contains("0123456789") })
    }

    @Test func `only settings of open resources need a restart`() {
        for name in [
            "server.host", "server.port", "server.workers", "admin.socket", "admin.metrics",
            "log.file.path", "log.format",
            "log.durability", "log.seal", "login.mode", "state.revocations",
        ] {
            #expect(Configuration.needsRestart(name), "\(name)")
        }
        for name in [
            "token.keys[0]", "token.ttl", "login.max_attempts", "log.level",
            "log.areas.http", "log.file.max_size", "log.file.keep", "log.seal_interval",
            "log.seal_secret", "log.on_failure", "server.max_connections",
            "server.trusted_proxies", "server.proxy_protocol",
        ] {
            #expect(!Configuration.needsRestart(name), "\(name)")
        }
    }
}
