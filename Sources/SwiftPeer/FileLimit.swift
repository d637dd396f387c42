import Glibc

/// How many sockets and files the process may have open.
enum FileLimit {
    /// Raises the limit to what the system allows at most: a relay has a socket for each of its peers, and many systems
    /// begin with 1,024. Where that is refused the limit stays as it is.
    static func raise() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max
        else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
