import Foundation
import FuzzTargets

/// A fuzz target for libFuzzer. `Tests/Scripts/fuzz.py` builds and runs this program, and passes
/// the target's name and a folder for its files in the environment.
private let chosen: (target: FuzzTarget, folder: String) = {
    let environment = ProcessInfo.processInfo.environment
    let name = environment["GATEHOUSE_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        let names = FuzzTarget.all.map(\.name).joined(separator: " ")
        fatalError("GATEHOUSE_FUZZ_TARGET: unknown target; set it to one of: \(names)")
    }
    guard let folder = environment["GATEHOUSE_FUZZ_FOLDER"] else {
        fatalError("GATEHOUSE_FUZZ_FOLDER: not set; set it to a folder for the target's files")
    }
    return (target, folder)
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    do {
        try chosen.target.check(bytes, chosen.folder)
    } catch {
        fatalError("\(chosen.target.name): \(error)")
    }
    return 0
}
