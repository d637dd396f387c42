// Finding one another over pubsub, as js-libp2p's package for it does: who one is and where, every ten seconds.
import { equal } from "./bytes.js";
import { addressFrom, bytesOf, parts } from "./multiaddr.js";
import { peerOf, peerText } from "./identity.js";
import { Message, encode } from "./protobuf.js";

const TOPIC = "universal-connectivity-browser-peer-discovery";
const INTERVAL = 10_000;
const MOST_ADDRESSES = 16;

export class Discovery {
  #node;
  #isDialing = false;

  constructor(node) {
    this.#node = node;
    node.pubsub.subscribe(TOPIC, (message) => this.#heard(message).catch((error) => node.complain(error)));
    setInterval(() => this.announce(), INTERVAL);
  }

  async announce() {
    const { addresses, identity, pubsub } = this.#node;
    if (addresses.length === 0 || pubsub.listeners(TOPIC) === 0) return;
    const announced = encode([[1, identity.publicKey], ...addresses.map((address) => [2, bytesOf(address)])]);
    await pubsub.publish(TOPIC, announced);
  }

  /// Dials who announced a way for WebRTC, one at a time, and only the peer itself.
  async #heard({ from, data }) {
    const message = new Message(data);
    const key = message.bytes(1);
    if (!key || !equal(await peerOf(key), from)) return;
    const peer = peerText(from);
    const addresses = message.all(2).slice(0, MOST_ADDRESSES).flatMap((bytes) => {
      try {
        return [addressFrom(bytes)];
      } catch {
        return [];
      }
    });
    this.#node.report({ event: "discovered", peer, addresses });
    const address = addresses.find((address) => {
      const named = parts(address);
      return named.some(([name]) => name === "webrtc") && named.at(-1)[1] === peer;
    });
    const isKnown = this.#node.connections.some((connection) => equal(connection.peer, from));
    if (!address || isKnown || this.#isDialing) return;
    this.#isDialing = true;
    try {
      await this.#node.connect(address);
    } finally {
      this.#isDialing = false;
    }
  }
}
