// Noise_XX_25519_ChaChaPoly_SHA256 as libp2p has it (libp2p/specs noise).
import { Incoming, concat, equal, textOf, utf8 } from "./bytes.js";
import { isSigned, peerOf } from "./identity.js";
import { Message, encode } from "./protobuf.js";
import { open, seal } from "./chacha.js";

const NAME = utf8("Noise_XX_25519_ChaChaPoly_SHA256");
const PREFIX = utf8("noise-libp2p-static-key:");
const PKCS8 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20);
const LARGEST = 65535 - 16;
const NOTHING = new Uint8Array();
const X25519 = { name: "X25519" };

/// A key pair for Diffie-Hellman.
export class ExchangeKey {
  constructor(privateKey, bytes) {
    this.privateKey = privateKey;
    this.bytes = bytes;
  }

  static async random() {
    const pair = await crypto.subtle.generateKey(X25519, false, ["deriveBits"]);
    return new ExchangeKey(pair.privateKey, new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  }

  static async from(secret, bytes) {
    const key = await crypto.subtle.importKey("pkcs8", concat(PKCS8, secret), X25519, false, ["deriveBits"]);
    return new ExchangeKey(key, bytes);
  }

  async with(other) {
    const theirs = await crypto.subtle.importKey("raw", other, X25519, false, []);
    const bits = await crypto.subtle.deriveBits({ ...X25519, public: theirs }, this.privateKey, 256);
    const secret = new Uint8Array(bits);
    if (secret.every((byte) => byte === 0)) throw new Error("a key that makes every secret zero");
    return secret;
  }
}

class Cipher {
  #key;
  #count = 0;

  constructor(key) {
    this.#key = key;
  }

  #nonce() {
    const nonce = new DataView(new ArrayBuffer(12));
    nonce.setBigUint64(4, BigInt(this.#count++), true);
    return new Uint8Array(nonce.buffer);
  }

  seal = (plain, associated = NOTHING) => seal(this.#key, this.#nonce(), associated, plain);
  open = (bytes, associated = NOTHING) => open(this.#key, this.#nonce(), associated, bytes);
}

async function hmac(key, bytes) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, bytes));
}

/// The two outputs of HKDF that Noise uses.
async function derived(chaining, secret) {
  const key = await hmac(chaining, secret);
  const first = await hmac(key, Uint8Array.of(1));
  return [first, await hmac(key, concat(first, Uint8Array.of(2)))];
}

/// The hash of all that was said, and the keys that follow from it.
class Transcript {
  hash = NAME;
  #chaining = NAME;
  #cipher = null;

  async mix(bytes) {
    this.hash = new Uint8Array(await crypto.subtle.digest("SHA-256", concat(this.hash, bytes)));
  }

  async mixKey(secret) {
    const [chaining, key] = await derived(this.#chaining, secret);
    this.#chaining = chaining;
    this.#cipher = new Cipher(key);
  }

  async seal(plain) {
    const sealed = this.#cipher.seal(plain, this.hash);
    await this.mix(sealed);
    return sealed;
  }

  async open(sealed) {
    const plain = this.#cipher.open(sealed, this.hash);
    await this.mix(sealed);
    return plain;
  }

  /// The keys from the initiator, and to it.
  split = () => derived(this.#chaining, NOTHING);
}

/// The payload that ties `exchangeKey` to an identity.
export async function payloadOf(identity, exchangeKey, muxers) {
  const signature = await identity.sign(concat(PREFIX, exchangeKey));
  return encode([[1, identity.publicKey], [2, signature], [4, muxers.map((muxer) => [2, muxer])]]);
}

/// Who sent this payload with this key, and which muxers it offers; throws when it proves nothing.
export async function readPayload(payload, exchangeKey) {
  const message = new Message(payload);
  const [key, signature] = [message.bytes(1), message.bytes(2)];
  if (!key || !signature) throw new Error("a payload that names nobody");
  if (!(await isSigned(key, concat(PREFIX, exchangeKey), signature))) throw new Error("a forged payload");
  return { peer: await peerOf(key), muxers: message.message(4)?.all(2).map(textOf) ?? [] };
}

const framed = (bytes) => concat(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes);

async function readFrame(input) {
  const [high, low] = await input.exactly(2);
  return input.exactly(high * 256 + low);
}

/// Secures `raw`: who is there, which muxer both want (or undefined), and the stream within.
///
/// `own` holds the identity, and in tests the keys that are random otherwise and the payload.
export async function secure(raw, own, { isInitiator, expected, muxers = [], prologue = NOTHING }) {
  const transcript = new Transcript();
  await transcript.mix(prologue);
  const fixed = own.exchangeKey ?? (await ExchangeKey.random());
  const passing = own.passingKey ?? (await ExchangeKey.random());
  const payload = own.payload ?? (await payloadOf(own.identity, fixed.bytes, muxers));
  const speak = async (...parts) => raw.write(framed(concat(...parts)));
  const check = async (plain, key) => {
    const remote = await readPayload(plain, key);
    if (expected && !equal(expected, remote.peer)) throw new Error("somebody else is there");
    return remote;
  };
  let remote;
  if (isInitiator) {
    await transcript.mix(passing.bytes);
    await transcript.mix(NOTHING);
    await speak(passing.bytes);
    const answer = await readFrame(raw.input);
    const theirs = answer.slice(0, 32);
    await transcript.mix(theirs);
    await transcript.mixKey(await passing.with(theirs));
    const theirFixed = await transcript.open(answer.slice(32, 80));
    await transcript.mixKey(await passing.with(theirFixed));
    remote = await check(await transcript.open(answer.slice(80)), theirFixed);
    const sealed = await transcript.seal(fixed.bytes);
    await transcript.mixKey(await fixed.with(theirs));
    await speak(sealed, await transcript.seal(payload));
  } else {
    const theirs = (await readFrame(raw.input)).slice(0, 32);
    await transcript.mix(theirs);
    await transcript.mix(NOTHING);
    await transcript.mix(passing.bytes);
    await transcript.mixKey(await passing.with(theirs));
    const sealed = await transcript.seal(fixed.bytes);
    await transcript.mixKey(await fixed.with(theirs));
    await speak(passing.bytes, sealed, await transcript.seal(payload));
    const answer = await readFrame(raw.input);
    const theirFixed = await transcript.open(answer.slice(0, 48));
    await transcript.mixKey(await passing.with(theirFixed));
    remote = await check(await transcript.open(answer.slice(48)), theirFixed);
  }
  const keys = await transcript.split();
  const [outbound, inbound] = (isInitiator ? keys : keys.reverse()).map((key) => new Cipher(key));
  const muxer = muxers.find((muxer) => remote.muxers.includes(muxer));
  return { peer: remote.peer, hash: transcript.hash, muxer, stream: sealedStream(raw, outbound, inbound) };
}

/// The plain side of `raw`.
function sealedStream(raw, outbound, inbound) {
  const input = new Incoming();
  const read = async () => {
    for (;;) input.push(inbound.open(await readFrame(raw.input)));
  };
  read().catch((error) => (raw.input.isOver ? input.end() : input.fail(error)));
  return {
    input,
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += LARGEST) {
        await raw.write(framed(outbound.seal(bytes.subarray(at, at + LARGEST))));
      }
    },
    end: () => raw.end(),
    reset: (error) => raw.reset(error),
  };
}
