import Wire

/// Streams on which the remote announced what is not to be a channel: ours are reset, the remote answers with its own.
///
/// Limits: `Limits.refusedStreams`; beyond, the remote gets no answer, and its channel never opens.
struct RefusedStreams {
    private struct Progress {
        var isReset = false
        var isRemoteReset = false
    }
    private var streams: [UInt16: Progress] = [:]

    var count: Int { streams.count }

    func contains(_ stream: UInt16) -> Bool { streams[stream] != nil }

    /// - Returns: whether our side is to be reset now.
    mutating func refuse(_ stream: UInt16, isRemoteReset: Bool = false) -> Bool {
        guard streams[stream] == nil, streams.count < Limits.refusedStreams else { return false }
        streams[stream] = Progress(isRemoteReset: isRemoteReset)
        return true
    }

    /// The remote announces again: it may, once our side is reset.
    ///
    /// - Returns: false while our reset is under way.
    mutating func forgive(_ stream: UInt16) -> Bool {
        guard let progress = streams[stream] else { return true }
        guard progress.isReset else { return false }
        streams[stream] = nil
        return true
    }

    /// Our side was reset, or never will be.
    mutating func wasReset(_ stream: UInt16, performed: Bool) {
        guard let progress = streams[stream] else { return }
        if progress.isRemoteReset || !performed { streams[stream] = nil } else { streams[stream]?.isReset = true }
    }

    /// - Returns: whether the stream is one of these.
    mutating func remoteReset(_ stream: UInt16) -> Bool {
        guard let progress = streams[stream] else { return false }
        if progress.isReset { streams[stream] = nil } else { streams[stream]?.isRemoteReset = true }
        return true
    }
}
