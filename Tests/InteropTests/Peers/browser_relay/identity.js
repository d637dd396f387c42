// Who somebody is: an Ed25519 key, and the peer id that is made of it.
import { concat, equal } from "./bytes.js";
import { decode58, encode58 } from "./base58.js";
import { Message, encode } from "./protobuf.js";

const PKCS8 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20);
/// The key types of libp2p/specs peer-ids.
const RSA = 0;
const ED25519 = 1;

/// The peer id, in bytes, of the owner of a public key: the key itself when it is short, otherwise its hash.
export async function peerOf(publicKey) {
  if (publicKey.length <= 42) return concat(Uint8Array.of(0, publicKey.length), publicKey);
  return concat(Uint8Array.of(0x12, 32), new Uint8Array(await crypto.subtle.digest("SHA-256", publicKey)));
}

export const peerText = encode58;
export const peerBytes = decode58;

/// The public key within a peer id, or undefined when it holds only a hash.
export const keyWithin = (peer) => (peer[0] === 0 && peer[1] === peer.length - 2 ? peer.slice(2) : undefined);

/// Whether the owner of `publicKey` (libp2p's message around it) signed these bytes.
export async function isSigned(publicKey, bytes, signature) {
  const message = new Message(publicKey);
  const data = message.bytes(2);
  const [format, algorithm] = {
    [RSA]: ["spki", { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }],
    [ED25519]: ["raw", { name: "Ed25519" }],
  }[message.number(1)] ?? [];
  if (!format || !data) throw new Error("a kind of key that this page does not know");
  const key = await crypto.subtle.importKey(format, data, algorithm, false, ["verify"]);
  return crypto.subtle.verify(algorithm, key, signature, bytes);
}

export class Identity {
  #privateKey;

  constructor(privateKey, publicKey, peer) {
    this.#privateKey = privateKey;
    this.publicKey = publicKey;
    this.peer = peer;
    this.text = peerText(peer);
  }

  static async of(privateKey, raw) {
    const publicKey = encode([[1, ED25519], [2, raw]]);
    return new Identity(privateKey, publicKey, await peerOf(publicKey));
  }

  static async random() {
    const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return Identity.of(pair.privateKey, new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  }

  /// The one whose private key is this seed; `raw` is the public key that goes with it.
  static async fromSeed(seed, raw) {
    const key = await crypto.subtle.importKey("pkcs8", concat(PKCS8, seed), { name: "Ed25519" }, false, ["sign"]);
    return Identity.of(key, raw);
  }

  async sign(bytes) {
    return new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, this.#privateKey, bytes));
  }

  is(peer) {
    return equal(peer, this.peer);
  }
}
