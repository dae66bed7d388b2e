import HTTP

/// A handler all of whose work is slow.
func slowly(_ kind: SlowWork.Kind = .computing, _ handler: @escaping Handler) -> TwoStepHandler {
    { request in .slow(kind) { handler(request) } }
}
