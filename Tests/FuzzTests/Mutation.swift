import TestSupport

extension Corpus {
    /// A seed after one to six changes of the kinds that fuzzers make.
    func mutant(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = seeds.randomElement(using: &generator) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &generator) { change(&bytes, &generator) }
        return Array(bytes.prefix(4096))
    }

    private func change(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 0...16, using: &generator))
        let word = words.randomElement(using: &generator) ?? []
        switch Int.random(in: 0..<9, using: &generator) {
        case 0 where place < bytes.count: bytes[place] = .random(in: 0...255, using: &generator)
        case 1 where place < bytes.count:
            bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.insert(.random(in: 0...255, using: &generator), at: place)
        case 3: bytes.removeSubrange(place..<end)
        case 4: bytes.insert(contentsOf: Array(bytes[place..<end]), at: place)
        case 5: bytes.replaceSubrange(place..<end, with: word)
        case 6:
            let other = seeds.randomElement(using: &generator) ?? []
            let start = Int.random(in: 0...other.count, using: &generator)
            bytes.replaceSubrange(place..., with: other[start...])
        case 7: bytes.removeSubrange(place...)
        default: bytes.insert(contentsOf: word, at: place)
        }
    }
}
