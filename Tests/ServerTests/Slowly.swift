import HTTP

/// A handler all of whose work is slow.
func slowly(_ kind: OffloadedWork.Kind = .cpuBound, _ handler: @escaping Handler) -> TwoStepHandler
{
    { request in .slow(kind) { handler(request) } }
}
