import JSON

/// The members of a token's header (RFC 7515 §4.1) that verification uses: `alg`, `crit` and `kid`.
/// Everything else (`typ`, `jku`, `jwk`, `x5u`, …) is ignored: keys never come from a token.
struct JOSEHeader {
    private enum KeyName {
        case unknown
        case known(Int)
    }

    /// Nil if there is no `alg`.
    private var isHS256: Bool?
    private var isCritical = false
    /// Nil if there is no `kid`.
    private var key: KeyName?

    /// Reads a header.
    /// - Parameter keys: the keys that `kid` may name.
    /// - Throws: `malformed` if the bytes are not a JSON object, or `kid` is not a string.
    init(_ json: Span<UInt8>, keys: KeyRing) throws(TokenError) {
        var reader = JSONReader(json, maximumNames: JSONReader.maximumNamesFromClients)
        do throws(JSONError) {
            try reader.beginObject()
            while let name = try reader.nextName() { try read(name, &reader, keys) }
            try reader.finish()
        } catch { throw .malformed }
    }

    private mutating func read(
        _ name: JSONStringToken, _ reader: inout JSONReader, _ keys: KeyRing
    ) throws(JSONError) {
        if reader.isEqual(name, "alg") {
            // A value that is not a string is not HS256 either.
            guard try reader.peekKind() == .string else {
                isHS256 = false
                try reader.skipValue()
                return
            }
            let algorithm = try reader.readText()
            isHS256 = reader.isEqual(algorithm, "HS256")
        } else if reader.isEqual(name, "kid") {
            let id = try reader.readText()
            key = Self.key(named: id, in: keys, &reader)
        } else {
            if reader.isEqual(name, "crit") { isCritical = true }
            try reader.skipValue()
        }
    }

    private static func key(
        named id: JSONStringToken, in keys: KeyRing, _ reader: inout JSONReader
    ) -> KeyName {
        for index in keys.entries.indices {
            let known = keys.entries[index].idBytes
            if reader.isEqual(id, known.span) { return .known(index) }
        }
        return .unknown
    }

    /// The keys that may have signed the token: the one that `kid` names, or all if there is no
    /// `kid`.
    /// - Parameter keys: the key ring that the header was read with.
    /// - Throws: `malformed` if there is no `alg`, `algorithmNotAllowed` if it is not HS256,
    ///   `criticalExtension` if `crit` is present, `unknownKey` if no key has this `kid`.
    func keyCandidates(in keys: KeyRing) throws(TokenError) -> Range<Int> {
        guard let isHS256 else { throw .malformed }
        guard isHS256 else { throw .algorithmNotAllowed }
        guard !isCritical else { throw .criticalExtension }
        switch key {
        case nil: return keys.entries.indices
        case .known(let index): return index..<(index + 1)
        case .unknown: throw .unknownKey
        }
    }
}
