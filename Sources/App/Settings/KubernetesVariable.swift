/// Recognizes the environment variables that Kubernetes sets in each container for every service of
/// its namespace ("Environment variables" in its documentation of services). Variables of services
/// whose names begin with `gatehouse` look like settings, and are ignored.
///
/// Both name and value must have the form. One such name is also a setting's: a service called
/// `gatehouse-server` sets `GATEHOUSE_SERVER_PORT`, which is `server.port`. The value decides
/// there: `tcp://10.0.0.1:8080` is not a port of a server, and Kubernetes never writes `8080`.
enum KubernetesVariable {
    static func matches(_ name: String, _ value: String) -> Bool {
        guard name.hasPrefix("GATEHOUSE_") else { return false }
        // The service's name is `GATEHOUSE`, or it begins with `GATEHOUSE_` and may contain further
        // underscores. So each underscore may be the one that ends it.
        for start in name.indices.dropFirst("GATEHOUSE".count) where name[start] == "_" {
            let service = name[..<start]
            guard service.unicodeScalars.allSatisfy(isPartOfName) else { return false }
            if isOne(rest: name[name.index(after: start)...], value) { return true }
        }
        return false
    }

    private static func isOne(rest: Substring, _ value: String) -> Bool {
        if rest == "SERVICE_HOST" { return isAddress(value) }
        if rest.wholeMatch(of: #/SERVICE_PORT(_[A-Z0-9_]+)?/#) != nil { return isPort(value) }
        if rest == "PORT" { return isURL(value) }
        guard let match = rest.wholeMatch(of: #/PORT_[0-9]{1,5}_(TCP|UDP|SCTP)(_[A-Z]+)?/#) else {
            return false
        }
        switch match.2 {
        case nil: return isURL(value)
        case "_PROTO": return ["tcp", "udp", "sctp"].contains(value)
        case "_PORT": return isPort(value)
        case "_ADDR": return isAddress(value)
        default: return false
        }
    }

    private static func isPartOfName(_ scalar: Unicode.Scalar) -> Bool {
        ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_"
    }

    private static func isAddress(_ text: String) -> Bool {
        text.wholeMatch(of: #/[0-9A-Fa-f:.]+/#) != nil
    }

    private static func isPort(_ text: String) -> Bool {
        text.wholeMatch(of: #/[0-9]{1,5}/#) != nil
    }

    private static func isURL(_ text: String) -> Bool {
        text.wholeMatch(
            of: #/(tcp|udp|sctp):\/\/(\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+):[0-9]{1,5}/#) != nil
    }
}
