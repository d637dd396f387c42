import Glibc

/// The wall clock: sequence numbers begin there at the start, and what relays say of time is compared with it.
/// Nothing in the node waits by it.
func unixNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
