// Multiaddresses, of the kinds that a page can use.
import { concat, textOf, utf8, varint } from "./bytes.js";
import { decode58, encode58 } from "./base58.js";

const text = { write: utf8, read: textOf };
const port = {
  size: 2,
  write: (value) => Uint8Array.of(Number(value) >> 8, Number(value) & 255),
  read: (bytes) => String(bytes[0] * 256 + bytes[1]),
};
const peer = { write: decode58, read: encode58 };
/// By its name: the code, and how a value is written; no value where nothing is said of it.
const PROTOCOLS = {
  ip4: { code: 4, size: 4, write: (value) => Uint8Array.from(value.split("."), Number), read: (b) => b.join(".") },
  tcp: { code: 6, ...port },
  dns: { code: 53, ...text },
  dns4: { code: 54, ...text },
  dns6: { code: 55, ...text },
  udp: { code: 273, ...port },
  webrtc: { code: 281 },
  "p2p-circuit": { code: 290 },
  p2p: { code: 421, ...peer },
  tls: { code: 448 },
  sni: { code: 449, ...text },
  ws: { code: 477 },
  wss: { code: 478 },
};

/// `[name, value]` of every part.
export function parts(address) {
  const words = address.split("/").slice(1);
  const result = [];
  while (words.length > 0) {
    const name = words.shift();
    const protocol = PROTOCOLS[name];
    if (!protocol) throw new Error(`/${name} is of no use to a page: ${address}`);
    result.push(protocol.write ? [name, words.shift()] : [name]);
  }
  return result;
}

export const addressOf = (parts) => parts.map((part) => "/" + part.join("/")).join("");

/// The binary form.
export function bytesOf(address) {
  return concat(...parts(address).flatMap(([name, value]) => {
    const protocol = PROTOCOLS[name];
    if (!protocol.write) return [varint(protocol.code)];
    const bytes = protocol.write(value);
    return [varint(protocol.code), ...(protocol.size ? [] : [varint(bytes.length)]), bytes];
  }));
}

/// The text of a binary address; throws when a part is not of the kinds above.
export function addressFrom(bytes) {
  let at = 0;
  const number = () => {
    let [value, scale] = [0, 1];
    for (;; scale *= 128) {
      if (at >= bytes.length || scale > 2 ** 28) throw new Error("a broken address");
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const result = [];
  while (at < bytes.length) {
    const code = number();
    const [name, protocol] = Object.entries(PROTOCOLS).find(([, { code: known }]) => known === code) ?? [];
    if (!protocol) throw new Error(`an address with a part ${code}`);
    if (!protocol.read) {
      result.push([name]);
      continue;
    }
    const length = protocol.size ?? number();
    if (at + length > bytes.length) throw new Error("a broken address");
    result.push([name, protocol.read(bytes.subarray(at, at + length))]);
    at += length;
  }
  return addressOf(result);
}

/// Where a WebSocket for this address goes, or undefined when that is not how it is dialled.
export function webSocketURL(address) {
  const [[host, name], [tcp, port] = [], ...rest] = parts(address);
  const names = rest.map(([name]) => name);
  const isSecure = names.includes("wss") || (names.includes("tls") && names.includes("ws"));
  if (!["ip4", "dns", "dns4", "dns6"].includes(host) || tcp !== "tcp") return undefined;
  if (!isSecure && !names.includes("ws")) return undefined;
  return `${isSecure ? "wss" : "ws"}://${name}:${port}/`;
}
