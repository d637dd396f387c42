// Protobuf, as much of it as libp2p's messages need: varints and bytes.
import { concat, framed, utf8, varint } from "./bytes.js";

/// The message with these `[number, value]` fields, in this order. Numbers become varints; text, bytes and nested
/// lists of fields become bytes; fields without a value are left out.
export function encode(fields) {
  const parts = [];
  for (const [number, value] of fields) {
    if (value === undefined || value === null) continue;
    if (typeof value === "number") {
      parts.push(varint(number * 8), varint(value));
    } else {
      const isMessage = Array.isArray(value);
      const bytes = isMessage ? encode(value) : typeof value === "string" ? utf8(value) : value;
      parts.push(varint(number * 8 + 2), framed(bytes));
    }
  }
  return concat(...parts);
}

/// The fields of a message: by its number, every value a field has.
export class Message {
  #fields = new Map();

  constructor(bytes) {
    let at = 0;
    const number = () => {
      let [value, scale] = [0, 1];
      for (let length = 1; length <= 10; length++, scale *= 128) {
        if (at >= bytes.length) throw new Error("a message that ends early");
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
      throw new Error("a number of more than ten bytes");
    };
    while (at < bytes.length) {
      const tag = number();
      const kind = tag % 8;
      let value;
      if (kind === 0) {
        value = number();
      } else {
        const length = kind === 2 ? number() : { 1: 8, 5: 4 }[kind];
        if (length === undefined || at + length > bytes.length) throw new Error("a message with a broken field");
        value = bytes.slice(at, at + length);
        at += length;
      }
      const field = Math.floor(tag / 8);
      this.#fields.set(field, [...(this.#fields.get(field) ?? []), value]);
    }
  }

  all(field) {
    return this.#fields.get(field) ?? [];
  }

  /// The last value, as protobuf has it; undefined when there is none.
  number(field) {
    return this.all(field).findLast((value) => typeof value === "number");
  }

  bytes(field) {
    return this.all(field).findLast((value) => typeof value !== "number");
  }

  text(field) {
    const bytes = this.bytes(field);
    return bytes && new TextDecoder().decode(bytes);
  }

  message(field) {
    const bytes = this.bytes(field);
    return bytes && new Message(bytes);
  }

  messages(field) {
    return this.all(field).filter((value) => typeof value !== "number").map((value) => new Message(value));
  }
}
