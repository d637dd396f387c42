// Bytes: making them, comparing them, and reading them in order as they come in.

export const utf8 = (text) => new TextEncoder().encode(text);
export const textOf = (bytes) => new TextDecoder().decode(bytes);
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
export const equal = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/// An unsigned varint of up to 53 bits.
export function varint(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  return Uint8Array.of(...bytes, number);
}

/// `body` behind its length.
export const framed = (body) => concat(varint(body.length), body);

/// What came in on a stream and was not read yet, in its order.
///
/// A reader that takes less than there is leaves the rest to the next one: what follows an answer in the same packet
/// belongs to the next layer.
export class Incoming {
  #bytes = new Uint8Array();
  #ended = false;
  #error = null;
  #waiting = [];
  /// Called with how many bytes a reader took.
  consumed = () => {};

  push(bytes) {
    if (this.#ended || this.#error) return;
    this.#bytes = this.#bytes.length === 0 ? bytes : concat(this.#bytes, bytes);
    this.#wake();
  }

  end() {
    this.#ended = true;
    this.#wake();
  }

  /// Breaks off: what was not read is lost.
  fail(error) {
    if (this.#error || this.isOver) return;
    this.#error = error;
    this.#wake();
  }

  get isOver() {
    return this.#ended && this.#bytes.length === 0;
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /// Waits until `isThere` says so; false when the end came first.
  async #until(isThere) {
    while (!isThere()) {
      if (this.#error) throw this.#error;
      if (this.#ended) return false;
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
    return true;
  }

  #take(count) {
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.subarray(count);
    if (count > 0) this.consumed(count);
    return taken;
  }

  /// All there is, at least one byte; null at the end.
  async some() {
    return (await this.#until(() => this.#bytes.length > 0)) ? this.#take(this.#bytes.length) : null;
  }

  async exactly(count) {
    if (!(await this.#until(() => this.#bytes.length >= count))) throw new Error("the stream ended early");
    return this.#take(count);
  }

  async varint() {
    let [value, scale] = [0, 1];
    for (let length = 1; length <= 7; length++, scale *= 128) {
      const [byte] = await this.exactly(1);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error("a length of more than seven bytes");
  }

  /// One message behind its length; null when the stream ended before it.
  async frame(limit) {
    if (!(await this.#until(() => this.#bytes.length > 0))) return null;
    const length = await this.varint();
    if (length > limit) throw new Error(`a message of ${length} bytes, more than ${limit}`);
    return this.exactly(length);
  }
}
