/// An answer, before it is bytes: a status, fields beyond those that every response has, content.
///
/// Its parts are shared arrays, so that an answer made once at start-up is given a million times
/// without an allocation.
package struct Response: Sendable {
    package let status: Status
    /// Whole field lines, each with its line end.
    private(set) var fieldLines: [UInt8] = []
    /// Perhaps nothing.
    package private(set) var content: [UInt8] = []
    /// Of the content, if there is any.
    private(set) var contentType: StaticString = "application/json"
    /// Whether a line in the security log belongs to it: then it may not leave before that line is
    /// written.
    package private(set) var isHeldForCommit = false

    /// Whether that line must be on the disk before the response leaves.
    package private(set) var isSynced = false

    /// Whether the content is overwritten once it is sent. Such a response is sent once.
    package private(set) var isSecret = false

    package init(_ status: Status) { self.status = status }

    package init(_ status: Status, json: [UInt8]) {
        self.status = status
        content = json
    }

    /// - Parameter type: the media type, as it stands in the field.
    package init(_ status: Status, text: [UInt8], type: StaticString) {
        self.status = status
        content = text
        contentType = type
    }

    /// `{"error":"<sentence>"}`.
    /// - Parameter sentence: one of our own, without quotation marks.
    package static func error(_ status: Status, _ sentence: StaticString) -> Response {
        Response(status, json: Array("{\"error\":\"\(sentence)\"}".utf8))
    }

    /// With the status's own sentence; made once, because strangers ask for it.
    package static func error(_ status: Status) -> Response { plainErrors[status]! }

    private static let plainErrors = Dictionary(
        uniqueKeysWithValues: Status.allCases.map { ($0, plainError($0)) })

    private static func plainError(_ status: Status) -> Response {
        let phrase = status.reasonPhrase
        // "Not Found" as a sentence is "Not found"; names in capitals stay as they are.
        let words = phrase.split(separator: " ").enumerated().map { index, word in
            index == 0 || word.dropFirst().contains(where: \.isUppercase)
                ? String(word) : word.lowercased()
        }
        return Response(
            status, json: Array("{\"error\":\"\(words.joined(separator: " "))\"}".utf8))
    }

    /// The same with one more field.
    /// - Precondition: name and value come from this program, never from a request; a line end
    ///   in either would be a second field.
    package func adding(_ name: String, _ value: String) -> Response {
        let line = "\(name): \(value)\r\n"
        precondition(line.utf8.allSatisfy { $0 < 0x7F } && line.filter(\.isNewline).count == 1)
        return adding(lines: Array(line.utf8))
    }

    /// - Precondition: whole field lines.
    func adding(lines: [UInt8]) -> Response {
        var copy = self
        copy.fieldLines += lines
        return copy
    }

    /// The same with this content.
    package func with(json: [UInt8]) -> Response {
        var copy = self
        copy.content = json
        return copy
    }

    /// The same, marked as one whose line in the security log is written already. It is taken back
    /// only where that line must be on the disk, too, and is not.
    package var alreadyCommitted: Response {
        consuming get {
            isHeldForCommit = isSynced
            return self
        }
    }

    /// The same, marked as one whose line in the security log must be on the disk before it leaves.
    package var synced: Response {
        consuming get {
            isHeldForCommit = true
            isSynced = true
            return self
        }
    }

    /// The same, marked as one whose content is overwritten once it is sent.
    package var secret: Response {
        consuming get {
            isSecret = true
            return self
        }
    }

    /// The same, marked as one that has a line in the security log.
    package var heldUntilCommitted: Response {
        consuming get {
            isHeldForCommit = true
            return self
        }
    }
}
