/// A response before serialization: a status, additional fields, and content.
///
/// Its parts are shared arrays. A response that is made once at start-up can be sent many times
/// without an allocation.
package struct Response: Sendable {
    package let status: Status
    /// Complete field lines, each with its CR LF.
    private(set) var fieldLines: [UInt8] = []
    /// May be empty.
    package private(set) var content: [UInt8] = []
    /// The media type of the content; unused if the content is empty.
    private(set) var contentType: StaticString = "application/json"
    /// True if the response has a line in the security log. It must not be sent before that line is
    /// written.
    package private(set) var isHeldForCommit = false

    /// True if that line must also be on disk (synced) before the response is sent.
    package private(set) var isSynced = false

    /// True if the content is overwritten after it is sent. Such a response can be sent only once.
    package private(set) var isSecret = false

    package init(_ status: Status) { self.status = status }

    package init(_ status: Status, json: [UInt8]) {
        self.status = status
        content = json
    }

    /// - Parameter type: the value of Content-Type.
    package init(_ status: Status, text: [UInt8], type: StaticString) {
        self.status = status
        content = text
        contentType = type
    }

    /// An error whose content is `{"error":"<sentence>"}`.
    /// - Parameter sentence: a constant of this program, without quotation marks.
    package static func error(_ status: Status, _ sentence: StaticString) -> Response {
        Response(status, json: Array("{\"error\":\"\(sentence)\"}".utf8))
    }

    /// An error with the status's own sentence. It is prepared once, because any client can request
    /// it.
    package static func error(_ status: Status) -> Response { plainErrors[status]! }

    private static let plainErrors = Dictionary(
        uniqueKeysWithValues: Status.allCases.map { ($0, plainError($0)) })

    private static func plainError(_ status: Status) -> Response {
        let phrase = status.reasonPhrase
        // Sentence case: "Not Found" becomes "Not found". Words in capitals (URI, HTTP) are kept.
        let words = phrase.split(separator: " ").enumerated().map { index, word in
            index == 0 || word.dropFirst().contains(where: \.isUppercase)
                ? String(word) : word.lowercased()
        }
        return Response(
            status, json: Array("{\"error\":\"\(words.joined(separator: " "))\"}".utf8))
    }

    /// Returns a copy with one more field.
    /// - Precondition: `name` and `value` come from this program, never from a request: a line end
    ///   in either would start a second field.
    package func adding(_ name: String, _ value: String) -> Response {
        let line = "\(name): \(value)\r\n"
        precondition(line.utf8.allSatisfy { $0 < 0x7F } && line.filter(\.isNewline).count == 1)
        return adding(lines: Array(line.utf8))
    }

    /// - Precondition: `lines` consists of complete field lines.
    func adding(lines: [UInt8]) -> Response {
        var copy = self
        copy.fieldLines += lines
        return copy
    }

    /// Returns a copy with this content.
    package func with(json: [UInt8]) -> Response {
        var copy = self
        copy.content = json
        return copy
    }

    /// Marks the response as one whose line in the security log is already written. It is then held
    /// only if that line must also be synced.
    package var alreadyCommitted: Response {
        consuming get {
            isHeldForCommit = isSynced
            return self
        }
    }

    /// Marks the response as one whose line in the security log must be synced before it is sent.
    package var synced: Response {
        consuming get {
            isHeldForCommit = true
            isSynced = true
            return self
        }
    }

    /// Marks the response as one whose content is overwritten after it is sent.
    package var secret: Response {
        consuming get {
            isSecret = true
            return self
        }
    }

    /// Marks the response as one with a line in the security log.
    package var heldUntilCommitted: Response {
        consuming get {
            isHeldForCommit = true
            return self
        }
    }
}
