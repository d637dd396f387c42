import Foundation
import Testing

/// An internet of one street with two homes on it, made of the kernel's network namespaces.
///
///     relay, coturn ── street 198.51.100.0/24 ──┬── router1 (NAT) ── home1 192.168.1.2
///                       │                       └── router2 (NAT) ── home2 192.168.2.2
///                    beyond, where nobody answers
///
/// Nothing leaves it, and it ends with the scenario.
struct SmallInternet: Sendable {
    /// What a home's router does to UDP. TCP passes outwards, and nothing comes in that was not asked for.
    enum NAT: String, Sendable {
        /// Linux as it is: one port for all remotes, which may answer when they were written to.
        case cone = "masquerade"
        /// Another port for every remote.
        case symmetric = "masquerade random,fully-random"
        /// Lets no UDP pass.
        case withoutDatagrams
    }

    private let stage: Stage
    private let prefix: [String]
    private let ip: String
    /// What to put before a command to run it on the street.
    var street: [String] { prefix }
    /// coturn's address, once it runs.
    static let stunURL = "stun:198.51.100.1:3478"

    static func turnURL(_ transport: String, password: String = "lab") -> String {
        "turn:lab:\(password)@198.51.100.1:3478?transport=\(transport)"
    }

    /// What to put before a command to run it in a home, the first or the second.
    func home(_ number: Int) -> [String] { prefix + [ip, "netns", "exec", "home\(number)"] }

    /// Builds it. Where this machine does not let its users do so, the test fails.
    static func build(on stage: Stage, homes: [NAT]) async throws -> SmallInternet {
        let (unshare, nsenter) = (try Installed.tool("unshare"), try Installed.tool("nsenter"))
        let (ip, _) = (try Installed.tool("ip"), try Installed.tool("nft"))
        var words = ""
        for user in [[], ["--map-root-user"]] {
            let shell = ["sh", "-c", setUp, "sh"] + homes.map(\.rawValue)
            let builder = try Child("internet", unshare, ["--net", "--mount"] + user + shell)
            do {
                try await builder.event("built", within: .seconds(20))
            } catch {
                words += builder.errors
                continue
            }
            stage.atEnd { await builder.stop() }
            let join = user.isEmpty ? [] : ["--user", "--preserve-credentials"]
            return SmallInternet(
                stage: stage, prefix: [nsenter, "--target", "\(builder.pid)", "--net", "--mount"] + join, ip: ip)
        }
        throw Failure("this machine does not let its users make networks: \(words)")
    }

    /// One home after the other: a router with two ends, and a machine behind it. A packet to an address that nobody
    /// has goes beyond, as on the real internet: without that route coturn would end the session that sent it.
    private static let setUp = """
        set -e
        PATH=$PATH:/usr/sbin:/sbin
        mount -t tmpfs tmpfs /run
        ip link set lo up
        ip link add street type bridge
        ip address add 198.51.100.1/24 dev street
        ip link set street up
        ip link add beyond type veth peer name void
        ip link set beyond up
        ip link set void up
        ip route add default dev beyond
        number=0
        for kind in "$@"; do
            number=$((number + 1)) masquerade=$kind datagrams=
            if [ "$kind" = withoutDatagrams ]; then masquerade=masquerade datagrams="meta l4proto udp drop;"; fi
            router=router$number home=home$number
            ip netns add $router
            ip netns add $home
            ip link add wan netns $router type veth peer name street$number
            ip link set street$number master street up
            ip link add lan netns $router type veth peer name eth0 netns $home
            ip -n $router link set lo up
            ip -n $router address add 198.51.100.1$number/24 dev wan
            ip -n $router address add 192.168.$number.1/24 dev lan
            ip -n $router link set wan up
            ip -n $router link set lan up
            ip -n $home link set lo up
            ip -n $home address add 192.168.$number.2/24 dev eth0
            ip -n $home link set eth0 up
            ip -n $home route add default via 192.168.$number.1
            ip netns exec $router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
            ip netns exec $router nft -f - <<END
        table ip nat {
            chain out { type nat hook postrouting priority 100; oifname "wan" $masquerade; }
        }
        table ip filter {
            chain input { type filter hook input priority 0; iifname "wan" ct state new drop; }
            chain forward { type filter hook forward priority 0; $datagrams iifname "wan" ct state new drop; }
        }
        END
        done
        echo '{"event":"built"}'
        exec cat
        """

    // MARK: Who lives there

    /// Our relay, on the street.
    func relay(flags: [String] = []) async throws -> Participant {
        let arguments = [
            "relay", "--json", "--ephemeral", "--no-mdns", "--no-stun", "--listen", "/ip4/198.51.100.1/tcp/0",
        ]
        let child = try stage.start(
            "relay", street[0], street.dropFirst() + [try Installed.program()] + arguments + flags)
        let ready = try await child.event("ready", within: .seconds(40))
        return Participant(
            kind: .ours, child: child, peer: try #require(ready.text("peer")),
            address: try #require(ready.texts("addresses").first))
    }

    /// coturn, on the street, for STUN and TURN: user lab, password lab.
    @discardableResult
    func coturn() async throws -> Child {
        let arguments = [
            "-n", "--verbose", "--no-tls", "--no-dtls", "--no-cli", "--listening-ip=198.51.100.1",
            "--relay-ip=198.51.100.1", "--listening-port=3478", "--lt-cred-mech", "--user=lab:lab", "--realm=lab",
            "--log-file=stdout", "--simple-log", "--db=\(stage.folder.appending(path: "coturn.db").path)",
            "--pidfile=\(stage.folder.appending(path: "coturn.pid").path)",
        ]
        let child = try stage.start(
            "coturn", street[0], street.dropFirst() + [try Installed.tool("turnserver")] + arguments)
        try await until("coturn listens", within: .seconds(20)) {
            if !child.isRunning { throw Failure("coturn ended: \(child.text)\(child.errors)") }
            return child.text.contains("UDP listener opened") && child.text.contains("Total General servers")
        }
        return child
    }

    /// One of ours at home.
    func bot(_ number: Int, flags: [String]) async throws -> Participant {
        try await .start(
            .ours, on: stage, name: "home\(number)", listen: "/ip4/0.0.0.0/tcp/0", inside: home(number),
            flags: ["--stun", Self.stunURL] + flags)
    }

    /// One of ours at home that can be reached through the relay; its address is the one for WebRTC.
    func reachableBot(_ number: Int, through relay: Participant, flags: [String]) async throws -> Participant {
        let bot = try await bot(number, flags: ["--listen", relay.address + "/p2p-circuit"] + flags)
        try await bot.child.event("relay", ["state": "reserved", "relay": relay.peer], within: .seconds(30))
        return Participant(
            kind: .ours, child: bot.child, peer: bot.peer,
            address: "\(relay.address)/p2p-circuit/webrtc/p2p/\(bot.peer)")
    }
}
