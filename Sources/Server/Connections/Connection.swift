import HTTP
import POSIX

/// A connection: its socket, its half of HTTP, and where its worker stands with it. Owned by one
/// worker, touched on its queue alone.
final class Connection {
    let socket: FileDescriptor
    let slot: Int
    /// Its slot and how often that was used before: a token of an earlier connection never fits.
    let id: UInt64
    var conversation: Conversation
    let activity: ConnectionActivity
    /// Nil for a connection that carries the requests of many clients.
    let networks: ClientNetworks?
    /// In the server's `ConnectionShares`.
    var place = -1
    var interest = Poller.Interest.read
    /// An offloaded handler has its request.
    var awaitsResponse = false
    /// Its response leaves once its event is on the disk. Until then nothing more is read.
    var awaitsSync = false
    /// Whether the response that waits for the sync grants something: its status is below 400.
    var syncsGrant = false
    /// It waits for a sync that its worker has asked for.
    var isHeld = false
    /// Stands in the worker's list of connections to send to.
    var isScheduled = false
    /// Everything is sent and sending has ended; what the client still sends is thrown away until
    /// it ends too, because closing now would make the kernel take our last response back from it.
    var isInLingeringClose = false
    /// How often another worker was asked to end one of its connections for this one.
    var evictionRequests = 0
    /// The server is full. It is not read from until another connection has made room for it.
    var isWaitingForEviction = false
    /// It was one too many, and is told so.
    var isRejected = false
    /// Bytes thrown away while lingering.
    var discarded = 0

    init(
        _ socket: consuming FileDescriptor, slot: Int, token: UInt64,
        _ conversation: consuming Conversation, _ activity: ConnectionActivity,
        _ networks: ClientNetworks?
    ) {
        self.socket = socket
        self.slot = slot
        self.id = token
        self.conversation = conversation
        self.activity = activity
        self.networks = networks
    }
}
