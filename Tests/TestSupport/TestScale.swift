import Foundation

/// How much a test does. By default a few seconds' worth; all of it where the environment variable
/// GATEHOUSE_LONG_TESTS is 1.
package enum TestScale {
    package static let isLong = ProcessInfo.processInfo.environment["GATEHOUSE_LONG_TESTS"] == "1"

    package static func rounds(_ usual: Int, long: Int) -> Int { isLong ? long : usual }

    /// Whether these tests, and with them the program, were built with a sanitizer, which needs
    /// several times the memory and the time.
    package static let isSanitized =
        dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// Seconds to wait for what is bound to happen; far more than a busy machine needs, and a sanitizer
    /// with all tests at once.
    package static let timeout: Double = isSanitized ? 180 : 20
}

/// Returns as soon as the condition holds; false if it does not within `seconds`.
package func eventually(
    within seconds: Double = TestScale.timeout, _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while try !condition() {
        guard Date() < deadline else { return false }
        usleep(2000)
    }
    return true
}
