// A connection to somebody: streams that were agreed on, over whatever carries them.
import { answer, select } from "./multistream.js";
import { Muxer, YAMUX } from "./yamux.js";
import { secure } from "./noise.js";

const PATIENCE = 10_000;

/// What `promise` gives, unless it takes too long.
export function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms: ${what}`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Connection {
  #muxer = null;
  isOpen = true;
  /// What the other side said it speaks; null until it did.
  protocols = null;

  /// `transport` is ws, relay or webrtc; `limit` what a relay allows, when it does not allow all.
  constructor({ peer, direction, transport, address, limit }) {
    Object.assign(this, { peer, direction, transport, address, limit });
    this.closed = new Promise((resolve) => (this.#closed = resolve));
  }

  #closed;

  /// `handle(protocol, stream, connection)` is given what the other side opens, for a protocol that `isSpoken`.
  start(muxer, isSpoken, handle) {
    this.#muxer = muxer;
    this.opened = async (stream) => {
      try {
        const protocol = await within(PATIENCE, "an agreement", answer(stream, (name) => isSpoken(name, this)));
        await handle(protocol, stream, this);
      } catch (error) {
        stream.reset(error);
      }
    };
  }

  over(error) {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#closed(error);
  }

  /// A stream for the first of these protocols that the other side speaks.
  async open(...protocols) {
    const stream = this.#muxer.open();
    try {
      stream.protocol = await within(PATIENCE, protocols.join(), select(stream, protocols));
      return stream;
    } catch (error) {
      stream.reset(error);
      throw error;
    }
  }

  close() {
    return this.#muxer.close();
  }
}

/// Makes a connection of a byte pipe, as over TCP: Noise, then Yamux.
export async function upgrade(raw, node, { isInitiator, expected, ...about }) {
  const secured = await within(PATIENCE, "a secure connection", (async () => {
    await (isInitiator ? select(raw, ["/noise"]) : answer(raw, (name) => name === "/noise"));
    const secured = await secure(raw, { identity: node.identity }, { isInitiator, expected, muxers: [YAMUX] });
    if (!secured.muxer) {
      await (isInitiator ? select(secured.stream, [YAMUX]) : answer(secured.stream, (name) => name === YAMUX));
    }
    return secured;
  })());
  const direction = isInitiator ? "out" : "in";
  const connection = new Connection({ peer: secured.peer, direction, ...about });
  const muxer = new Muxer(secured.stream, {
    isClient: isInitiator,
    opened: (stream) => connection.opened(stream),
    closed: (error) => connection.over(error),
  });
  node.take(connection, muxer);
  return connection;
}
