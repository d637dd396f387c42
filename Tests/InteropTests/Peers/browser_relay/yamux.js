// Yamux (hashicorp/yamux spec.md, libp2p/specs yamux): many streams over one.
import { Incoming, concat } from "./bytes.js";

export const YAMUX = "/yamux/1.0.0";
const [DATA, WINDOW, PING, GO_AWAY] = [0, 1, 2, 3];
const [SYN, ACK, FIN, RST] = [1, 2, 4, 8];
const INITIAL = 256 * 1024;
const LARGEST = 16 * 1024;

class YamuxStream {
  input = new Incoming();
  #muxer;
  #sendable = INITIAL;
  #receivable = INITIAL;
  #taken = 0;
  #flags;
  #sending = Promise.resolve();
  #wake = () => {};
  #error = null;
  #ended = { here: false, there: false };

  constructor(muxer, id, flags) {
    this.#muxer = muxer;
    this.id = id;
    this.#flags = flags;
    this.input.consumed = (count) => this.#consumed(count);
    this.#send(WINDOW, 0);
  }

  #send(type, length, flags = 0, body) {
    this.#muxer.send(type, flags | this.#flags, this.id, length, body);
    this.#flags = 0;
  }

  /// A window opens when somebody reads, not when bytes come in.
  #consumed(count) {
    this.#taken += count;
    if (this.#taken < INITIAL / 2 || this.#ended.there || this.#error) return;
    this.#send(WINDOW, this.#taken);
    this.#receivable += this.#taken;
    this.#taken = 0;
  }

  write(bytes) {
    const written = this.#sending.then(() => this.#write(bytes));
    this.#sending = written.catch(() => {});
    return written;
  }

  async #write(bytes) {
    for (let at = 0; at < bytes.length;) {
      if (this.#ended.here) throw new Error("this side has ended the stream");
      while (this.#sendable === 0 && !this.#error) await new Promise((resolve) => (this.#wake = resolve));
      if (this.#error) throw this.#error;
      const part = bytes.subarray(at, at + Math.min(LARGEST, this.#sendable));
      this.#sendable -= part.length;
      at += part.length;
      this.#send(DATA, part.length, 0, part);
    }
  }

  /// Ends this side of it, behind what is still to be written.
  end() {
    this.#sending = this.#sending.then(() => {
      if (this.#ended.here || this.#error) return;
      this.#ended.here = true;
      this.#send(WINDOW, 0, FIN);
      this.#forgetIfOver();
    });
    return this.#sending;
  }

  reset(error = new Error("reset")) {
    if (this.#error || (this.#ended.here && this.#ended.there)) return;
    this.#send(WINDOW, 0, RST);
    this.broken(error);
  }

  /// Nothing comes or goes any more.
  broken(error) {
    this.#error ??= error;
    this.input.fail(error);
    this.#wake();
    this.#muxer.forget(this);
  }

  #forgetIfOver() {
    if (this.#ended.here && this.#ended.there) this.#muxer.forget(this);
  }

  /// A frame for this stream.
  received(type, flags, length, body) {
    if (type === DATA) {
      this.#receivable -= length;
      if (this.#receivable < 0) throw new Error("more than the window allows");
      this.input.push(body);
    } else {
      this.#sendable += length;
      this.#wake();
    }
    if (flags & RST) this.broken(new Error("reset by the other side"));
    if (flags & FIN) {
      this.#ended.there = true;
      this.input.end();
      this.#forgetIfOver();
    }
  }
}

export class Muxer {
  #raw;
  #streams = new Map();
  #next;
  #sending = Promise.resolve();
  #isOver = false;

  /// `opened` gets every stream that the other side opens.
  constructor(raw, { isClient, opened, closed }) {
    this.#raw = raw;
    this.#next = isClient ? 1 : 2;
    this.opened = opened;
    this.closed = closed;
    this.#read().catch((error) => this.#end(raw.input.isOver ? new Error("the other side left") : error));
  }

  open() {
    if (this.#isOver) throw new Error("the connection is over");
    const stream = new YamuxStream(this, this.#next, SYN);
    this.#streams.set(stream.id, stream);
    this.#next += 2;
    return stream;
  }

  send(type, flags, id, length, body = new Uint8Array()) {
    const header = new DataView(new ArrayBuffer(12));
    header.setUint8(1, type);
    header.setUint16(2, flags);
    header.setUint32(4, id);
    header.setUint32(8, length);
    const frame = concat(new Uint8Array(header.buffer), body);
    this.#sending = this.#sending.then(() => this.#raw.write(frame)).catch((error) => this.#end(error));
  }

  forget(stream) {
    this.#streams.delete(stream.id);
  }

  /// Says goodbye, and ends what is below once that is written.
  async close() {
    if (this.#isOver) return;
    this.send(GO_AWAY, 0, 0, 0);
    await this.#sending;
    this.#raw.end();
    this.#end(new Error("closed here"));
  }

  #end(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stream of [...this.#streams.values()]) stream.broken(error);
    this.#raw.reset?.(error);
    this.closed(error);
  }

  async #read() {
    for (;;) {
      const header = await this.#raw.input.exactly(12);
      const view = new DataView(header.buffer, header.byteOffset);
      const [version, type, flags] = [view.getUint8(0), view.getUint8(1), view.getUint16(2)];
      const [id, length] = [view.getUint32(4), view.getUint32(8)];
      if (version !== 0 || type > GO_AWAY) throw new Error("not Yamux");
      if (type === DATA && length > INITIAL) throw new Error("a frame larger than any window");
      if (type === PING) {
        if (flags & SYN) this.send(PING, ACK, 0, length);
      } else if (type === GO_AWAY) {
        throw new Error("the other side says goodbye");
      } else {
        this.#stream(type, flags, id, length, type === DATA ? await this.#raw.input.exactly(length) : undefined);
      }
    }
  }

  #stream(type, flags, id, length, body) {
    let stream = this.#streams.get(id);
    if (flags & SYN) {
      if (stream || id % 2 === this.#next % 2) throw new Error("a stream with a number that is not free");
      stream = new YamuxStream(this, id, ACK);
      this.#streams.set(id, stream);
      this.opened(stream);
    }
    stream?.received(type, flags, length, body);
  }
}
