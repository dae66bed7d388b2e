import Testing

@testable import App

struct InheritedListenersTests {
    @Test(
        arguments: [
            ("admin", .admin), ("metrics", .metrics),
            // The names that systemd passes without FileDescriptorName=.
            ("", .public), ("unknown", .public), ("gatehouse.socket", .public),
            ("gatehouse@8080.socket", .public),
        ] as [(String, InheritedListeners.ListenerRole)])
    func `the name of an inherited socket selects its listener`(
        name: String, role: InheritedListeners.ListenerRole
    ) {
        #expect(InheritedListeners.role(named: name) == role)
    }

    // systemd itself uses the last two: for a descriptor that a service has stored, and for an
    // accepted connection.
    @Test(
        arguments: [
            "metric", "Metrics", "admin ", "http", "socket", "metrics.socket", "admin.socket",
            "stored",
            "connection",
        ])
    func `an inherited socket with an unknown name has no role`(name: String) {
        #expect(InheritedListeners.role(named: name) == nil)
    }
}
