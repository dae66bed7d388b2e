import JSON
import JWT
import POSIX

/// The parsed body of a login request.
enum Credentials {
    case claimed(Identity, password: SecretBytes?)
    /// The body is not exactly one JSON object.
    case notJSON
    /// Neither `user_id` nor `username`; or a `user_id` that is not an integer from 1 to 2^53 - 1,
    /// written as one; or a `username` that is not a string.
    case noUser

    /// The identifiers that the client presents.
    enum Identity {
        case id(UserID)
        case name(String)
        /// Both identifiers in one request.
        case both(UserID, String)
    }

    init(parsing body: Span<UInt8>) {
        var (id, name, password): (UserID?, String?, SecretBytes?)
        var isFaulty = false
        do throws(JSONError) {
            var reader = JSONReader(body, maximumNames: JSONReader.maximumNamesFromClients)
            try reader.beginObject()
            while let member = try reader.nextName() {
                let kind = try reader.peekKind()
                if kind == .null {
                    // null counts as absent: serializers write it for unset properties.
                    try reader.skipValue()
                } else if reader.isEqual(member, "user_id") {
                    if kind == .number {
                        id = try Self.userID(&reader)
                    } else {
                        try reader.skipValue()
                    }
                    if id == nil { isFaulty = true }
                } else if reader.isEqual(member, "username") {
                    if kind == .string {
                        name = reader.string(of: try reader.readText())
                    } else {
                        try reader.skipValue()
                    }
                    if name == nil { isFaulty = true }
                } else if reader.isEqual(member, "password"), kind == .string {
                    password = SecretBytes(reader.bytes(of: try reader.readText()))
                } else {
                    try reader.skipValue()
                }
            }
            try reader.finish()
        } catch {
            self = .notJSON
            return
        }
        switch (id, name) {
        case _ where isFaulty, (nil, nil): self = .noUser
        case (let id?, nil): self = .claimed(.id(id), password: password)
        case (nil, let name?): self = .claimed(.name(name), password: password)
        case (let id?, let name?): self = .claimed(.both(id, name), password: password)
        }
    }

    /// Nil for a number out of range, and for `1.0` and `1e0`, which are floats as written.
    private static func userID(_ reader: inout JSONReader) throws(JSONError) -> UserID? {
        do throws(JSONError) {
            return UserID(try reader.readInteger())
        } catch {
            guard error.reason == .notAnInteger || error.reason == .numberOutOfRange else {
                throw error
            }
            return nil
        }
    }
}
