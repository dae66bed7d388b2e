import Metrics
import Testing

@Suite("A counter")
struct CounterTests {
    @Test("holds what was added")
    func sum() {
        let counter = Counter()
        counter.add()
        counter.add(41)
        #expect(counter.value == 42)
    }
}
