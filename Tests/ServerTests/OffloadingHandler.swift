import HTTP

/// A handler that offloads all of its work.
func offloading(_ kind: OffloadedWork.Kind = .cpuBound, _ handler: @escaping Handler)
    -> TwoStepHandler
{
    { request in .slow(kind) { handler(request) } }
}
