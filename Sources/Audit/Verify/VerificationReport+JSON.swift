import JSON
import Logging

extension VerificationReport {
    /// One JSON object on one line, without a line end. The member names are those of the
    /// properties.
    package var json: [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
        return writer.bytes
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.name("outcome")
        writer.string(outcome.rawValue)
        writer.name("exit")
        writer.integer(Int64(outcome.exitCode))
        writer.name("faults")
        writer.beginArray()
        for fault in faults { fault.write(to: &writer) }
        writer.endArray()
        writer.name("unlisted_faults")
        writer.integer(Int64(unlistedFaultCount))
        writer.strings("problems", problems)
        writer.strings("notes", notes)
        writer.name("files")
        writer.beginArray()
        for file in files {
            writer.beginObject()
            writer.name("name")
            writer.string(file.name)
            writer.name("lines")
            writer.integer(Int64(file.lineCount))
            writer.name("seals")
            writer.integer(Int64(file.sealCount))
            writer.endObject()
        }
        writer.endArray()
        writer.name("lines")
        writer.integer(Int64(lineCount))
        writer.name("seals")
        writer.integer(Int64(sealCount))
        writer.name("first_sequence")
        if let firstSequence {
            writer.integer(Int64(clamping: firstSequence))
        } else {
            writer.null()
        }
        writer.string("head", head?.text)
        writer.string("from", from)
        writer.string("to", to)
    }
}

extension VerificationReport.Fault {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("kind")
        writer.string(kind.rawValue)
        writer.name("file")
        writer.string(first.file)
        writer.name("line")
        writer.integer(Int64(first.line))
        writer.name("last_file")
        writer.string(last.file)
        writer.name("last_line")
        writer.integer(Int64(last.line))
        if let seals {
            writer.name("first_seal")
            writer.integer(Int64(clamping: seals.lowerBound))
            writer.name("last_seal")
            writer.integer(Int64(clamping: seals.upperBound))
        }
        writer.name("sentence")
        writer.string(sentence)
        writer.endObject()
    }
}

extension JSONWriter {
    fileprivate mutating func strings(_ name: StaticString, _ values: [String]) {
        self.name(name)
        beginArray()
        for value in values { string(value) }
        endArray()
    }

    fileprivate mutating func string(_ name: StaticString, _ value: String?) {
        self.name(name)
        if let value { string(value) } else { null() }
    }
}
