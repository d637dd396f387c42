import Glibc
import Testing

@testable import SwiftPeer

@Suite struct FileLimitTests {
    @Test func theLimitOfOpenFilesIsRaisedToWhatTheSystemAllows() throws {
        FileLimit.raise()
        var limit = rlimit()
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        #expect(limit.rlim_cur == limit.rlim_max)
    }
}
