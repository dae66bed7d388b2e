import HTTP
import POSIX

extension Worker {
    /// Unsent bytes of a connection above which its pipelined requests wait: two or three full
    /// socket buffers of responses, so that a client that does not read cannot fill the memory.
    private static let outputLimit = 64 * 1024

    /// Reads once, and handles what has arrived.
    func read(_ connection: Connection) {
        if receive(connection) { handleRequests(connection) }
    }

    /// Reads once.
    /// - Returns: whether bytes have arrived that are to be handled.
    func receive(_ connection: Connection) -> Bool {
        switch connection.receive(into: &batch.buffer) {
        case .handleRequests: return true
        case .endOfFile: handleEndOfFile(connection)
        case .stopReading: watch(connection, .none)
        case .close: close(connection)
        case .wait: break
        }
        return false
    }

    /// The client has ended its side. Complete requests were handled before this read; part of one
    /// is rejected.
    private func handleEndOfFile(_ connection: Connection) {
        guard connection.conversation.state.isInsideMessage else { return close(connection) }
        reject(connection, .incomplete)
    }

    /// Handles every complete request that is buffered.
    func handleRequests(_ connection: Connection) {
        do throws(ParseError) {
            while connection.conversation.unsentCount < Self.outputLimit,
                connection.pendingSync == nil
            {
                guard let request = try connection.conversation.next() else { break }
                clearDeadline(connection)
                if request.declaresContent { batch.bufferHoldsContent = true }
                switch routes.route(for: request) {
                case .onWorker(let handler): complete(handler(request), connection)
                case .inTwoSteps(let handler):
                    switch handler(request) {
                    case .response(let response): complete(response, connection)
                    case .offloaded(let work): offload(work, of: request.client, connection)
                    }
                }
            }
        } catch {
            reject(connection, error)
        }
        let status = connection.conversation.state
        if status.unsentCount > 0 {
            scheduleSend(connection)
        } else {
            setReadingDeadline(connection, status)
        }
    }

    func continueUnfinished() {
        let list = batch.unfinished
        batch.unfinished.removeAll(keepingCapacity: true)
        for connection in list where connection.isOpen { handleRequests(connection) }
    }

    func complete(_ response: Response, _ connection: Connection) {
        connection.conversation.complete(response, date: batch.date.text, closing: isDraining)
        if response.isSynced {
            connection.pendingSync = response.status.code < 400 ? .grant : .refusal
        }
    }

    // MARK: Offloaded work

    private func offload(
        _ work: OffloadedWork, of client: ClientAddress, _ connection: Connection
    ) {
        let (id, mailbox) = (connection.id, mailbox)
        let isAccepted = context.offload.submit(
            work, run: { mailbox.post(.responseReady(work.run(), token: id)) },
            displaced: {
                work.rejected()
                mailbox.post(.offloadRejected(client, token: id))
            })
        if !isAccepted {
            work.rejected()
            reportBusy(client, connection)
            complete(OffloadedWork.busy, connection)
        }
    }

    /// Queues the response to an offloaded request. Pipelined requests after it are handled when it
    /// is sent.
    func completeOffloaded(_ response: Response, _ connection: Connection) {
        guard connection.conversation.isAwaitingResponse else { return }
        complete(response, connection)
        watch(connection, .read)
        if connection.isOpen { scheduleSend(connection) }
    }

    func reportBusy(_ client: ClientAddress, _ connection: Connection) {
        context.counts.rejected.add()
        context.hooks.rejected(
            RejectedRequest(
                reason: "busy", status: .serviceUnavailable, client: client,
                id: connection.conversation.currentID))
    }

    // MARK: Rejections

    /// Queues the response to bytes that are no valid request. At most once: after it the
    /// connection gets no other response, and no deadline of the rejected request remains.
    func reject(_ connection: Connection, _ error: ParseError) {
        guard connection.conversation.state.wants != .nothing else { return }
        clearDeadline(connection)
        connection.conversation.reject(error, date: batch.date.text)
        reportRejected(error.reason, error.status, connection)
        scheduleSend(connection)
    }

    func reportRejected(_ reason: StaticString, _ status: Status, _ connection: Connection) {
        context.counts.rejected.add()
        context.counts.addResponseWithoutRequest(status)
        context.hooks.rejected(
            RejectedRequest(
                reason: reason, status: status, client: connection.conversation.peer,
                id: connection.conversation.currentID))
    }

    static func retrying(_ sentence: StaticString) -> Response {
        .error(.serviceUnavailable, sentence).adding("Retry-After", "1")
    }
}
