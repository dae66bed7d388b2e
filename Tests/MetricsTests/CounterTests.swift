import Metrics
import Testing

struct CounterTests {
    @Test func `a counter contains the sum of what was added`() {
        let counter = Counter()
        counter.add()
        counter.add(41)
        #expect(counter.value == 42)
    }
}
