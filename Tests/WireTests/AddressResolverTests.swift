import NIOCore
import Testing

@testable import Wire

@Suite struct AddressResolverTests {
    typealias Failure = AddressResolver.Failure
    static let peer = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"
    static let other = "12D3KooWCKq9ZvccjmCqhBbPsrgpAKBHWQpgB61ruM19CyAvH1Cp"
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    /// A name server out of a table: texts by name, numbers by name; a name that is in no table does not exist.
    struct Names {
        var texts: [String: [String]] = [:]
        var numbers: [String: [String]] = [:]

        func records(_ name: String, _ kind: AddressResolver.Kind) -> [AddressResolver.Record]? {
            switch kind {
            case .txt: texts[name].map { $0.map { .text($0) } }
            case .a, .aaaa:
                numbers[name].map { texts in
                    texts.compactMap(IPAddress.init).filter { $0.bytes.count == (kind == .a ? 4 : 16) }
                        .map { .address($0) }
                }
            }
        }
    }

    /// Runs a resolver to its end; also gives the questions it asked.
    private func resolve(
        _ text: String, _ names: Names
    ) throws -> (addresses: [String], failures: [Failure], questions: Int) {
        var resolver = AddressResolver(try Multiaddr(text))
        resolver.handle(.start, now: start)
        var questions = 0
        while let output = resolver.poll() {
            switch output {
            case .query(let id, let name, let kind):
                questions += 1
                if let records = names.records(name, kind) {
                    resolver.handle(.answered(id, records), now: start)
                } else {
                    resolver.handle(.failed(id), now: start)
                }
            case .finished(let resolution):
                #expect(resolver.poll() == nil)
                #expect(resolver.deadline == .distantFuture)
                return (resolution.addresses.map(\.description), resolution.failures, questions)
            }
        }
        Issue.record("stopped without finishing")
        return ([], [], questions)
    }

    @Test func anAddressWithoutNamesIsItsOwnAnswer() throws {
        let (addresses, failures, questions) = try resolve("/ip4/1.2.3.4/tcp/80", Names())
        #expect(addresses == ["/ip4/1.2.3.4/tcp/80"] && failures.isEmpty && questions == 0)
    }

    @Test func asksForTheVersionsOfTheName() throws {
        let names = Names(numbers: ["a.b": ["1.2.3.4", "::1", "5.6.7.8"]])
        #expect(try resolve("/dns4/a.b/tcp/80", names).addresses == ["/ip4/1.2.3.4/tcp/80", "/ip4/5.6.7.8/tcp/80"])
        #expect(try resolve("/dns6/a.b/tcp/80", names).addresses == ["/ip6/::1/tcp/80"])
        let both = try resolve("/dns/a.b/tcp/80", names)
        #expect(both.addresses == ["/ip4/1.2.3.4/tcp/80", "/ip4/5.6.7.8/tcp/80", "/ip6/::1/tcp/80"])
        #expect(both.questions == 2)
        let neither = try resolve("/dns/no.name/tcp/80", names)
        #expect(neither.addresses.isEmpty)
        #expect(neither.failures == [.failed(name: "no.name", .a), .failed(name: "no.name", .aaaa)])
    }

    @Test func aNameWithoutRecordsIsNoFailure() throws {
        let (addresses, failures, _) = try resolve("/dns6/a.b/tcp/80", Names(numbers: ["a.b": ["1.2.3.4"]]))
        #expect(addresses.isEmpty && failures.isEmpty)
    }

    @Test func aSecureWebSocketKeepsItsName() throws {
        let names = Names(numbers: ["a.b": ["1.2.3.4"]])
        for text in ["/dns4/a.b/tcp/80/wss", "/dns4/a.b/tcp/80/tls/ws"] {
            let addresses = try resolve("\(text)/p2p/\(Self.peer)", names).addresses
            #expect(addresses == ["/ip4/1.2.3.4/tcp/80/tls/sni/a.b/ws/p2p/\(Self.peer)"])
        }
        #expect(
            try resolve("/dns4/a.b/tcp/80/tls/sni/c.d/ws", names).addresses == ["/ip4/1.2.3.4/tcp/80/tls/sni/c.d/ws"])
        #expect(try resolve("/dns4/a.b/tcp/80/ws", names).addresses == ["/ip4/1.2.3.4/tcp/80/ws"])
    }

    @Test func followsTreesOfListsAndKeepsWhatEndsAsAsked() throws {
        let names = Names(
            texts: [
                "_dnsaddr.root": [
                    "dnsaddr=/dnsaddr/leaf1/p2p/\(Self.peer)", "dnsaddr=/dnsaddr/leaf2/p2p/\(Self.other)",
                    "v=spf1 -all", "dnsaddr=nonsense", "dnsaddr=", "DNSADDR=/ip4/9.9.9.9/tcp/1/p2p/\(Self.peer)",
                    "dnsaddr=/ip4/1.1.1.1/tcp/1",
                ],
                "_dnsaddr.leaf1": [
                    "dnsaddr=/dns4/host/tcp/4/p2p/\(Self.peer)", "dnsaddr=/ip6/::2/tcp/5/p2p/\(Self.peer)",
                    "dnsaddr=/ip6/::3/tcp/5/p2p/\(Self.other)",
                ],
                "_dnsaddr.leaf2": ["dnsaddr=/ip4/2.2.2.2/tcp/2/p2p/\(Self.other)"],
            ],
            numbers: ["host": ["3.3.3.3"]])
        let one = try resolve("/dnsaddr/root/p2p/\(Self.peer)", names)
        #expect(one.addresses == ["/ip6/::2/tcp/5/p2p/\(Self.peer)", "/ip4/3.3.3.3/tcp/4/p2p/\(Self.peer)"])
        #expect(one.failures.isEmpty)
        let all = try resolve("/dnsaddr/root", names)
        #expect(all.addresses.count == 4)
        let none = try resolve("/dnsaddr/leaf2/p2p/\(Self.peer)", names)
        #expect(none.addresses.isEmpty && none.failures == [.noMatchingRecord(name: "_dnsaddr.leaf2")])
    }

    @Test func keepsWhatStandsBeforeAName() throws {
        let names = Names(texts: ["_dnsaddr.a": ["dnsaddr=/tcp/5"]])
        #expect(try resolve("/ip4/1.2.3.4/dnsaddr/a", names).addresses == ["/ip4/1.2.3.4/tcp/5"])
    }

    @Test func cyclesAndSelfReferencesEnd() throws {
        let names = Names(texts: [
            "_dnsaddr.a": ["dnsaddr=/dnsaddr/b", "dnsaddr=/dnsaddr/a", "dnsaddr=/ip4/1.1.1.1/tcp/1"],
            "_dnsaddr.b": ["dnsaddr=/dnsaddr/a", "dnsaddr=/ip4/1.1.1.1/tcp/1", "dnsaddr=/ip4/2.2.2.2/tcp/1"],
        ])
        let (addresses, failures, questions) = try resolve("/dnsaddr/a", names)
        #expect(addresses == ["/ip4/1.1.1.1/tcp/1", "/ip4/2.2.2.2/tcp/1"])
        #expect(failures.isEmpty && questions == 2)
    }

    @Test func aLongChainEndsAtItsDepth() throws {
        var names = Names()
        for index in 0..<10 { names.texts["_dnsaddr.n\(index)"] = ["dnsaddr=/dnsaddr/n\(index + 1)"] }
        names.texts["_dnsaddr.n3"]?.append("dnsaddr=/ip4/1.1.1.1/tcp/1")
        let (addresses, failures, questions) = try resolve("/dnsaddr/n0", names)
        #expect(addresses == ["/ip4/1.1.1.1/tcp/1"])
        #expect(failures == [.tooDeep(name: "n4")] && questions == Limits.dnsaddrDepth)
    }

    @Test func floodsAreCutAtTheLimits() throws {
        let lists = (0..<90).map { "dnsaddr=/dnsaddr/n\($0)" }
        let wide = try resolve("/dnsaddr/a", Names(texts: ["_dnsaddr.a": lists]))
        #expect(wide.questions == Limits.dnsLookups)
        #expect(wide.failures.contains(.tooManyLookups))
        #expect(wide.failures.count == Limits.dnsLookups)

        let names = Names(numbers: ["a.b": (0..<5000).map { "10.0.\($0 / 256).\($0 % 256)" }])
        let records = try resolve("/dns4/a.b/tcp/80", names)
        #expect(records.addresses.count == Limits.dnsAddresses - 1)
        #expect(records.failures == [.tooManyAddresses])
    }

    @Test(arguments: [
        "a..b", ".a", "a b", "a\u{7F}", "a\nb", String(repeating: "a", count: 64), String(repeating: "a.", count: 127),
    ]) func neverAsksForWhatIsNoName(_ name: String) throws {
        let (addresses, failures, questions) = try resolve("/dns4/\(name)/tcp/80", Names())
        #expect(addresses.isEmpty && failures == [.invalidName(name)] && questions == 0)
    }

    @Test func everyQuestionHasItsDeadline() throws {
        var resolver = AddressResolver(try Multiaddr("/dns/a.b/tcp/80"))
        #expect(resolver.deadline == .distantFuture)
        resolver.handle(.tick, now: start)
        #expect(resolver.poll() == nil)
        resolver.handle(.start, now: start)
        guard case .query(let first, _, .a) = resolver.poll(), case .query(let second, _, .aaaa) = resolver.poll()
        else {
            Issue.record("two questions expected")
            return
        }
        let due = start + Limits.dnsLookupTimeout
        #expect(resolver.deadline == due)
        resolver.handle(.tick, now: due - .nanoseconds(1))
        #expect(resolver.poll() == nil)
        resolver.handle(
            .answered(second, [.text("no number"), .address(try #require(IPAddress("1.2.3.4")))]), now: due)
        resolver.handle(.answered(second, [.address(try #require(IPAddress("::1")))]), now: due)
        resolver.handle(.tick, now: due)
        guard case .finished(let resolution) = resolver.poll() else {
            Issue.record("the end expected")
            return
        }
        #expect(resolution.addresses.isEmpty)
        #expect(resolution.failures == [.timedOut(name: "a.b", .a)])
        resolver.handle(.answered(first, [.address(try #require(IPAddress("1.2.3.4")))]), now: due)
        resolver.handle(.start, now: due)
        #expect(resolver.poll() == nil)
    }
}
