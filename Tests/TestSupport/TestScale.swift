import Foundation

/// The amount of work that tests do: a few seconds by default, everything if the environment
/// variable GATEHOUSE_LONG_TESTS is 1.
package enum TestScale {
    package static let isLong = ProcessInfo.processInfo.environment["GATEHOUSE_LONG_TESTS"] == "1"

    package static func rounds(_ usual: Int, long: Int) -> Int { isLong ? long : usual }

    /// Whether the tests, and with them the program, were built with a sanitizer, which needs
    /// several times the memory and the time.
    package static let isSanitized =
        dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// The timeout for an event that must happen, in seconds; far more than a busy machine needs,
    /// or a sanitizer that runs all tests at once.
    package static let timeout: Double = isSanitized ? 180 : 20
}

/// Polls until the condition holds; false if it does not hold within `seconds`.
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
