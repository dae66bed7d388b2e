import Glibc

/// This process's number.
package func processID() -> Int32 { getpid() }
