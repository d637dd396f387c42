// A libp2p node in a page: a relay over WebSocket, circuits through it, and direct connections that come of them.
import { equal, textOf, utf8 } from "./bytes.js";
import { Identity, peerBytes, peerText } from "./identity.js";
import { PUBSUB, PubSub } from "./pubsub.js";
import { STOP, connect as throughRelay, reserve, stopped } from "./circuit.js";
import { SIGNALLING, upgradeToDirect } from "./signalling.js";
import { IDENTIFY, PING, PUSH, answerIdentify, answerPing, identify, ping, push, takePush } from "./identify.js";
import { Discovery } from "./discovery.js";
import { measure } from "./perf.js";
import { addressOf, parts, webSocketURL } from "./multiaddr.js";
import { openWebSocket } from "./websocket.js";
import { upgrade } from "./connection.js";

const ROOM = "universal-connectivity";
/// A reservation is renewed this long before it ends, and a lost relay is tried again after at most so long.
const AHEAD = 5 * 60_000;
const LONGEST_PAUSE = 30_000;

export class Node {
  connections = [];
  addresses = [];
  #handlers;

  /// `options`: iceServers; discovers (dials whom it hears of); chatsThroughRelay (js-libp2p does not, over limits).
  static async start(report, options) {
    return new Node(await Identity.random(), report, options);
  }

  constructor(identity, report, { iceServers = [], discovers = true, chatsThroughRelay = true }) {
    Object.assign(this, { identity, report, iceServers, chatsThroughRelay });
    this.pubsub = new PubSub(this);
    this.#handlers = new Map([
      [IDENTIFY, (stream) => answerIdentify(this, stream)],
      [PUSH, (stream, connection) => takePush(stream, connection)],
      [PING, answerPing],
      [STOP, (stream, connection) => stopped(this, connection, stream)],
      [SIGNALLING, (stream, connection) => upgradeToDirect(this, connection, stream)],
      ...PUBSUB.map((protocol) => [protocol, (stream, connection) => this.pubsub.read(stream, connection)]),
    ]);
    this.pubsub.subscribe(ROOM, ({ from, data, id }) => {
      report({ event: "message", room: ROOM, id, from: peerText(from), text: textOf(data) });
    });
    if (discovers) this.discovery = new Discovery(this);
  }

  get protocols() {
    return [...this.#handlers.keys()];
  }

  complain(error, input) {
    this.report({ event: "error", message: error.message, input });
  }

  // MARK: Connections

  /// Serves a connection that is ready for streams.
  take(connection, muxer) {
    connection.start(
      muxer, (protocol, { limit }) => this.#speaks(protocol, limit),
      (protocol, stream) => this.#handlers.get(protocol)(stream, connection));
    this.connections.push(connection);
    const { direction, transport, address, limit } = connection;
    const tell = (state, more) => this.report({
      event: "connection", peer: peerText(connection.peer), state, direction, transport, address,
      ...(limit && { "limit-seconds": limit.seconds, "limit-bytes": limit.bytes }), ...more,
    });
    tell("open");
    connection.closed.then((error) => {
      this.connections.splice(this.connections.indexOf(connection), 1);
      tell("closed", { reason: error.message });
      this.pubsub.leave(connection).catch((error) => this.complain(error));
    });
    this.#introduce(connection).catch((error) => connection.isOpen && this.complain(error));
  }

  #speaks(protocol, limit) {
    if (!this.#handlers.has(protocol)) return false;
    return !limit || this.chatsThroughRelay || !PUBSUB.includes(protocol);
  }

  async #introduce(connection) {
    const { protocols, agent } = await identify(connection);
    this.report({ event: "identify", peer: peerText(connection.peer), agent, transport: connection.transport });
    const isChatty = PUBSUB.some((name) => protocols.includes(name) && this.#speaks(name, connection.limit));
    if (isChatty) await this.pubsub.use(connection);
  }

  #connection = (peer) => {
    const open = this.connections.filter((connection) => connection.isOpen && equal(connection.peer, peer));
    return open.find(({ transport }) => transport !== "relay") ?? open[0];
  };

  /// Dials an address that ends with the peer: of a WebSocket, through a relay, or to be direct by WebRTC.
  async connect(address) {
    const named = parts(address);
    const [name, peer] = named.at(-1);
    if (name !== "p2p") throw new Error(`an address without its peer: ${address}`);
    const circuit = named.findIndex(([name]) => name === "p2p-circuit");
    const expected = peerBytes(peer);
    if (circuit < 0) {
      const url = webSocketURL(address);
      if (!url) throw new Error(`not a WebSocket: ${address}`);
      const about = { expected, transport: url.split(":")[0], address: addressOf(named.slice(0, -1)) };
      return upgrade(await openWebSocket(url), this, { isInitiator: true, ...about });
    }
    const relayAddress = named.slice(0, circuit);
    const relay = this.#connection(peerBytes(relayAddress.at(-1)[1])) ?? (await this.connect(addressOf(relayAddress)));
    const known = this.#connection(expected);
    const isDirect = named.slice(circuit).some(([name]) => name === "webrtc");
    if (isDirect && known?.transport === "webrtc") return known;
    const relayed = known ?? (await throughRelay(this, relay, expected));
    return isDirect ? upgradeToDirect(this, relayed) : relayed;
  }

  // MARK: The relay

  /// Keeps a place at the relay, for as long as the page is there.
  async stay(address) {
    for (let pause = 1000; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        const relay = await this.connect(address);
        for (;;) {
          const { expiry, limit } = await reserve(relay);
          pause = 1000;
          await this.#reserved(address, relay, limit);
          const renewal = Math.max(30_000, expiry - Date.now() - AHEAD);
          const isOver = await Promise.race([
            relay.closed.then(() => true), new Promise((resolve) => setTimeout(() => resolve(false), renewal)),
          ]);
          if (isOver) break;
        }
      } catch (error) {
        this.complain(error, address);
      }
      this.addresses = [];
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async #reserved(address, relay, limit) {
    const own = (kind) => `${address}/p2p-circuit${kind}/p2p/${this.identity.text}`;
    this.addresses = [own(""), own("/webrtc")];
    this.report({ event: "reserved", relay: peerText(relay.peer), addresses: this.addresses, limit });
    await push(this);
    await this.discovery?.announce();
  }

  // MARK: What a person does

  async say(text) {
    const { id, peers } = await this.pubsub.publish(ROOM, utf8(text));
    this.report({ event: "sent", room: ROOM, id, peers, text });
  }

  #connected(peer) {
    const connection = this.#connection(peerBytes(peer));
    if (!connection) throw new Error("there is no connection");
    return connection;
  }

  async perf(peer, bytes = 1 << 20) {
    const connection = this.#connected(peer);
    const took = await measure(connection, bytes, bytes);
    this.report({ event: "perf", peer, bytes, ...took, transport: connection.transport });
  }

  async ping(peer) {
    const connection = this.#connected(peer);
    this.report({ event: "pong", peer, ms: await ping(connection), transport: connection.transport });
  }

  disconnect(peer) {
    for (const connection of [...this.connections]) if (peerText(connection.peer) === peer) connection.close();
  }

  leave() {
    for (const connection of [...this.connections]) connection.close();
  }
}
