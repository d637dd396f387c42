import DequeModule
import OrderedCollections
import Wire

/// A first-in first-out memory of bounded cost that many peers fill: when it is full, whoever fills most of it loses
/// its oldest element.
///
/// So a flood from one peer pushes out the flood, and what others brought stays for its time: with n peers in it,
/// nobody loses anything while holding less than 1/n of the whole. Peers beyond `Limits.gossipShares` share one part.
struct FairQueue<Element> {
    private struct Item {
        let element: Element
        let cost: Int
    }
    private struct Share {
        var items: Deque<Item> = []
        var cost = 0
    }
    private var shares: OrderedDictionary<PeerID?, Share> = [:]
    private(set) var count = 0
    private(set) var cost = 0

    mutating func append(_ element: Element, cost: Int, from peer: PeerID) {
        let known = shares[peer] != nil || shares.count < Limits.gossipShares
        let owner = known ? peer : nil
        shares[owner, default: Share()].items.append(Item(element: element, cost: cost))
        shares[owner, default: Share()].cost += cost
        self.cost += cost
        count += 1
    }

    /// Takes the oldest element of the largest share; nil when there is nothing.
    mutating func popFromLargest() -> Element? {
        var largest: (index: Int, cost: Int)?
        for (index, share) in shares.values.enumerated() where share.cost > largest?.cost ?? -1 {
            largest = (index, share.cost)
        }
        guard let largest else { return nil }
        return popFirst(ofShareAt: largest.index)
    }

    /// Takes the elements at the front of every share for which `isOver` holds.
    mutating func popFirst(where isOver: (Element) -> Bool, _ body: (Element) -> Void) {
        for index in shares.values.indices.reversed() {
            while index < shares.count, let first = shares.values[index].items.first, isOver(first.element) {
                let wasLast = shares.values[index].items.count == 1
                if let element = popFirst(ofShareAt: index) { body(element) }
                if wasLast { break }
            }
        }
    }

    /// Every element, share by share, oldest first.
    func forEach(_ body: (Element) -> Void) {
        for share in shares.values {
            for item in share.items { body(item.element) }
        }
    }

    private mutating func popFirst(ofShareAt index: Int) -> Element? {
        guard let item = shares.values[index].items.popFirst() else { return nil }
        shares.values[index].cost -= item.cost
        cost -= item.cost
        count -= 1
        if shares.values[index].items.isEmpty { shares.remove(at: index) }
        return item.element
    }
}
