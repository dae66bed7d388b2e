/// What the log knows of the bytes in its current file.
struct LogContent {
    /// Bytes of this process and of those before it; the file is larger if others have appended.
    var size = 0
    /// Of the lines in the file.
    var format: LogFormat
    /// The UTC day of the file's first line, in days since 1970-01-01; nil if it is unknown.
    var day: Int64?
    /// Bytes that the start found. While this equals `size`, the process has written nothing.
    var foundSize = 0
    /// Bytes of the notices at the beginning; a file that has nothing else is not rotated.
    var headerSize = 0
    /// The file ends inside a line that could not be undone.
    var endsInsideLine = false
    /// The file ends in a seal that lacks only its line end.
    var endsInSeal = false
    /// The file ends in a seal with the reason `stop`.
    var isFinal = false

    var isOnlyFound: Bool { size == foundSize }
    var isOnlyHeader: Bool { size == headerSize }
}
