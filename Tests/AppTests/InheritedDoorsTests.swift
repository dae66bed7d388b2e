import Testing

@testable import App

@Suite("An inherited socket's name")
struct InheritedDoorsTests {
    @Test(
        "says which listener it is for",
        arguments: [
            ("admin", .admin), ("metrics", .metrics),
            // What systemd says where nobody has named it.
            ("", .public), ("unknown", .public), ("gatehouse.socket", .public),
            ("gatehouse@8080.socket", .public),
        ] as [(String, InheritedListeners.ListenerRole)])
    func known(name: String, door: InheritedListeners.ListenerRole) {
        #expect(InheritedListeners.door(named: name) == door)
    }

    // The last two are systemd's own: of a descriptor that a service has stored, and of a connection.
    @Test(
        "is not guessed at, so that a mistyped one is not open to the public",
        arguments: [
            "metric", "Metrics", "admin ", "http", "socket", "metrics.socket", "admin.socket",
            "stored",
            "connection",
        ])
    func unknown(name: String) {
        #expect(InheritedListeners.door(named: name) == nil)
    }
}
