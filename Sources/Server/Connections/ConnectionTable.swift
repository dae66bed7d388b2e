/// Identifies a connection of one worker. The lower half is its slot, the upper half counts the
/// connections of the worker, so that the ID of an earlier connection in the slot never matches.
typealias ConnectionID = UInt64

/// The open connections of a worker, by slot. Deadlines are kept by slot; the poller and messages
/// from other threads refer to a connection by its ID.
struct ConnectionTable {
    private var slots: [Connection?] = []
    private var freeSlots: [Int] = []
    private var generation: UInt64 = 0
    private var seeds = SystemRandomNumberGenerator()

    var isEmpty: Bool { slots.count == freeSlots.count }

    var all: [Connection] { slots.compactMap(\.self) }

    static func slot(of id: ConnectionID) -> Int { Int(id & 0xFFFF_FFFF) }

    /// Reserves a slot.
    /// - Returns: the ID of the connection that `insert` must then be called with.
    mutating func reserve() -> ConnectionID {
        let slot = freeSlots.popLast() ?? slots.count
        if slot == slots.count { slots.append(nil) }
        generation += 1
        return generation << 32 | UInt64(slot)
    }

    mutating func insert(_ connection: Connection) { slots[connection.slot] = connection }

    mutating func remove(_ connection: Connection) {
        slots[connection.slot] = nil
        freeSlots.append(connection.slot)
    }

    /// A seed for the request IDs of a connection.
    mutating func nextSeed() -> UInt64 { seeds.next() }

    /// The connection with this ID; nil if it was closed.
    subscript(id: ConnectionID) -> Connection? {
        let slot = Self.slot(of: id)
        guard slot < slots.count, let connection = slots[slot], connection.id == id else {
            return nil
        }
        return connection
    }

    subscript(slot slot: Int) -> Connection? { slots[slot] }
}
