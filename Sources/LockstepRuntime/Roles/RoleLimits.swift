/// Bounds of the loops and their sockets, each with its reason.
@usableFromInline enum RoleLimits {
    /// How often a loop tells its machine that time passes: as often as a machine asks for what was
    /// lost.
    @usableFromInline static let tickMilliseconds = 20
    /// A look at the clock that is so late was kept back by a suspended process or host: a lid that
    /// was closed, Ctrl-Z, a paused container.
    @usableFromInline static let suspensionMilliseconds = 1_000
    /// What a turn takes: the pushes of a step from many workers, or some milliseconds of a flood.
    @usableFromInline static let messagesPerTurn = 128
    /// Work that is expected to take longer is done beside the loop, which continues to answer.
    static let longWorkMilliseconds = 100
    /// Messages that wait for a control connection: statements, of which only the newest counts,
    /// and reports.
    static let controlMessages = 2_048
    /// Frames that wait to be sent to a server: every node of a few steps.
    static let dataMessages = 512
    /// Bytes that one data peer may leave unread, here or of what is sent to it; then its
    /// connection waits, or what is sent is dropped.
    static let unreadByteCount = 16 << 20
    /// Memory that one connection may share: large networks go through the socket, whose copies
    /// their arithmetic hides.
    static let sharedByteCount = 64 << 20
    /// How often a thread that is awake looks at its channels before it looks at its sockets, where
    /// nothing comes that is in a hurry: some microseconds.
    static let looksAtChannels = 16
    /// The last statements leave within the time that a session's end may take.
    static let controlLingerMilliseconds = 300
    /// A connection whose bytes are not acknowledged for so long is dead, and is made anew: a link
    /// that was down is used again soon after it is up.
    static let unacknowledgedMilliseconds = 2_000
    /// Routers and firewalls forget a connection that has been idle for a minute or more.
    static let keepAliveIdleSeconds = 15
    static let keepAliveIntervalSeconds = 5
    static let connectTimeoutMilliseconds = 300
    /// A look at why a peer was not reached, at the end.
    static let reachMilliseconds = 1_000
    static let reconnectMilliseconds = 10
    static let maximumReconnectMilliseconds = 200
    /// How long a connection may take to speak ZMTP.
    static let handshakeMilliseconds = 2_000

    /// Messages of this size that one data peer may leave unread.
    static func unreadMessages(frameByteCount: Int) -> Int {
        min(max(unreadByteCount / max(frameByteCount, 1), 4), dataMessages)
    }
}
