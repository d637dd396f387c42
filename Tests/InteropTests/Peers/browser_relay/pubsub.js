// GossipSub in its smallest honest form (libp2p/specs pubsub/gossipsub): it subscribes, signs and checks messages,
// forwards within its mesh, takes GRAFT and PRUNE as they are meant, answers IWANT and asks for what IHAVE names.
// It gossips nothing itself, and keeps no scores.
import { concat, equal, framed, hex, utf8 } from "./bytes.js";
import { isSigned, keyWithin, peerOf, peerText } from "./identity.js";
import { Message, encode } from "./protobuf.js";

export const PUBSUB = ["/meshsub/1.1.0", "/meshsub/1.0.0", "/floodsub/1.0.0"];
const FLOODSUB = "/floodsub/1.0.0";
const PREFIX = utf8("libp2p-pubsub:");
const LIMIT = 1 << 20;
const LARGEST_MESH = 12;
const BACKOFF = 60;
const KEPT = 1000;
const HEARTBEAT = 1000;
/// How long what a new stream brings waits for the end of the one before it.
const LONGEST_HOLD = 3000;
/// The field numbers of ControlMessage.
const [IHAVE, IWANT, GRAFT, PRUNE] = [1, 2, 3, 4];

export class PubSub {
  #node;
  #neighbours = new Map();
  #topics = new Map();
  /// The newest messages by their id, as they go out again; ids alone are kept longer.
  #messages = new Map();
  #seen = new Set();
  #sequence = BigInt(Date.now()) * 1_000_000n;
  #publishing = Promise.resolve();

  constructor(node) {
    this.#node = node;
    setInterval(() => this.#neighbours.forEach((neighbour) => this.#graft(neighbour)), HEARTBEAT);
  }

  /// `heard({ from, data, id })` is called for every message of others, once.
  subscribe(topic, heard) {
    this.#topics.set(topic, heard);
    const subscription = [1, [[1, 1], [2, topic]]];
    this.#neighbours.forEach((neighbour) => this.#send(neighbour, [subscription]));
  }

  /// How many of those we talk with are in this room.
  listeners = (topic) => [...this.#neighbours.values()].filter(({ topics }) => topics.has(topic)).length;

  /// Publishes; returns the id, and to how many it went.
  publish(topic, data) {
    const published = this.#publishing.then(() => this.#publish(topic, data));
    this.#publishing = published.catch(() => {});
    return published;
  }

  async #publish(topic, data) {
    const { identity } = this.#node;
    const number = new DataView(new ArrayBuffer(8));
    number.setBigUint64(0, this.#sequence++);
    const fields = [[1, identity.peer], [2, data], [3, new Uint8Array(number.buffer)], [4, topic]];
    const signature = await identity.sign(concat(PREFIX, encode(fields)));
    const id = hex(concat(fields[0][1], fields[2][1]));
    const message = encode([...fields, [5, signature], [6, identity.publicKey]]);
    this.#keep(id, message);
    return { id, peers: this.#spread(topic, message, (neighbour) => neighbour.topics.has(topic)) };
  }

  #spread(topic, message, isMeant) {
    const meant = [...this.#neighbours.values()].filter((neighbour) => neighbour.stream && isMeant(neighbour));
    for (const neighbour of meant) this.#send(neighbour, [[2, message]]);
    return meant.length;
  }

  #keep(id, message) {
    this.#seen.add(id);
    this.#messages.set(id, message);
    for (const [kept, limit] of [[this.#seen, KEPT * 10], [this.#messages, KEPT]]) {
      if (kept.size > limit) kept.delete(kept.keys().next().value);
    }
  }

  // MARK: Neighbours

  #neighbour(peer) {
    const name = peerText(peer);
    if (!this.#neighbours.has(name)) {
      this.#neighbours.set(name, { peer, topics: new Set(), mesh: new Set(), backoffs: new Map(), stream: null });
    }
    return this.#neighbours.get(name);
  }

  /// Speaks to the other side over this connection, unless there is a better one already.
  async use(connection) {
    const neighbour = this.#neighbour(connection.peer);
    const isBetter = !neighbour.connection?.isOpen
      || (connection.transport !== "relay" && neighbour.connection.transport === "relay");
    if (!isBetter) return;
    neighbour.connection = connection;
    const stream = await connection.open(...PUBSUB);
    if (neighbour.connection !== connection) return stream.end();
    const before = neighbour.stream;
    neighbour.stream = stream;
    neighbour.mesh.clear();
    this.#send(neighbour, [...this.#topics.keys()].map((topic) => [1, [[1, 1], [2, topic]]]));
    this.#graft(neighbour);
    before?.end();
  }

  /// Somebody's connection is over: goes on over the best that is left.
  async leave(connection) {
    const neighbour = this.#neighbour(connection.peer);
    if (neighbour.connection !== connection) return;
    neighbour.stream = null;
    const others = this.#node.connections.filter((other) => other.isOpen && equal(other.peer, connection.peer)
      && other.protocols?.some((protocol) => PUBSUB.includes(protocol)));
    const best = others.find(({ transport }) => transport !== "relay") ?? others[0];
    if (best) return this.use(best);
    for (const topic of neighbour.topics) this.#tell(neighbour, topic, false);
    this.#neighbours.delete(peerText(connection.peer));
  }

  #send(neighbour, fields) {
    if (!neighbour.stream || fields.length === 0) return;
    neighbour.stream.write(framed(encode(fields))).catch(() => {});
  }

  #control = (neighbour, ...fields) => this.#send(neighbour, [[3, fields]]);

  #graft(neighbour) {
    if (!neighbour.stream || neighbour.stream.protocol === FLOODSUB) return;
    for (const topic of this.#topics.keys()) {
      const isBarred = neighbour.mesh.has(topic) || (neighbour.backoffs.get(topic) ?? 0) > Date.now();
      if (isBarred || !neighbour.topics.has(topic) || this.#meshSize(topic) >= LARGEST_MESH) continue;
      neighbour.mesh.add(topic);
      this.#control(neighbour, [GRAFT, [[1, topic]]]);
    }
  }

  #meshSize = (topic) => [...this.#neighbours.values()].filter(({ mesh }) => mesh.has(topic)).length;

  // MARK: What comes in

  /// Reads all that the other side sends, one message after the other: their order is kept, also where a better
  /// connection has brought a new stream while the old one still brings something.
  async read(stream, connection) {
    const neighbour = this.#neighbour(connection.peer);
    const before = neighbour.reading;
    neighbour.reading = this.#readAll(stream, connection, before);
    await neighbour.reading;
  }

  async #readAll(stream, connection, before) {
    const hold = new Promise((resolve) => setTimeout(resolve, LONGEST_HOLD));
    if (before) await Promise.race([before.catch(() => {}), hold]);
    for (let frame = await stream.input.frame(LIMIT); frame; frame = await stream.input.frame(LIMIT)) {
      await this.#received(new Message(frame), this.#neighbour(connection.peer));
    }
    // Only now: an end of ours before theirs would tell them that nobody listens.
    await stream.end();
  }

  async #received(rpc, neighbour) {
    for (const subscription of rpc.messages(1)) {
      const topic = subscription.text(2);
      const isSubscribed = subscription.number(1) === 1;
      if (isSubscribed !== neighbour.topics.has(topic)) this.#tell(neighbour, topic, isSubscribed);
      if (isSubscribed) neighbour.topics.add(topic);
      else neighbour.topics.delete(topic), neighbour.mesh.delete(topic);
    }
    for (const bytes of rpc.all(2)) await this.#heard(new Message(bytes), neighbour);
    for (const control of rpc.messages(3)) this.#controlled(control, neighbour);
    this.#graft(neighbour);
  }

  #tell({ peer }, room, isSubscribed) {
    const state = isSubscribed ? "joined" : "left";
    if (this.#topics.has(room)) this.#node.report({ event: "peer", room, peer: peerText(peer), state });
  }

  #controlled(control, neighbour) {
    for (const graft of control.messages(GRAFT)) {
      const topic = graft.text(1);
      const isWelcome = this.#topics.has(topic) && this.#meshSize(topic) < LARGEST_MESH
        && (neighbour.backoffs.get(topic) ?? 0) <= Date.now();
      if (isWelcome) neighbour.mesh.add(topic);
      else this.#control(neighbour, [PRUNE, [[1, topic], [3, BACKOFF]]]);
    }
    for (const prune of control.messages(PRUNE)) {
      neighbour.mesh.delete(prune.text(1));
      neighbour.backoffs.set(prune.text(1), Date.now() + (prune.number(3) ?? BACKOFF) * 1000);
    }
    const wanted = control.messages(IHAVE).flatMap((ihave) => ihave.all(2)).filter((id) => !this.#seen.has(hex(id)));
    if (wanted.length > 0) this.#control(neighbour, [IWANT, wanted.slice(0, KEPT).map((id) => [1, id])]);
    const asked = control.messages(IWANT).flatMap((iwant) => iwant.all(1)).map((id) => this.#messages.get(hex(id)));
    for (const message of asked.filter(Boolean)) this.#send(neighbour, [[2, message]]);
  }

  async #heard(message, neighbour) {
    const [from, sequence, topic] = [message.bytes(1), message.bytes(3), message.text(4)];
    const heard = this.#topics.get(topic);
    if (!heard || !from || sequence?.length !== 8 || this.#node.identity.is(from)) return;
    const id = hex(concat(from, sequence));
    if (this.#seen.has(id)) return;
    const fields = [[1, from], [2, message.bytes(2)], [3, sequence], [4, message.bytes(4)]];
    const key = message.bytes(6) ?? keyWithin(from);
    if (!key || !equal(await peerOf(key), from)) return;
    if (!(await isSigned(key, concat(PREFIX, encode(fields)), message.bytes(5) ?? new Uint8Array()))) return;
    // While that was looked at, the same may have come from another side.
    if (this.#seen.has(id)) return;
    const whole = encode([...fields, [5, message.bytes(5)], [6, message.bytes(6)]]);
    this.#keep(id, whole);
    heard({ from, data: message.bytes(2) ?? new Uint8Array(), id });
    this.#spread(topic, whole, (other) => other !== neighbour && !equal(other.peer, from)
      && (other.mesh.has(topic) || (other.stream.protocol === FLOODSUB && other.topics.has(topic))));
  }
}
