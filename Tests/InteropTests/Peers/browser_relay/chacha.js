// ChaCha20-Poly1305 (RFC 8439): the one cipher of Noise in libp2p, and not among those of WebCrypto.
import { concat } from "./bytes.js";

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

/// The 64 bytes of key stream with this block number.
function block(key, nonce, number) {
  const [keys, nonces] = [new DataView(key.buffer, key.byteOffset), new DataView(nonce.buffer, nonce.byteOffset)];
  const start = new Uint32Array(16);
  start.set(CONSTANTS);
  for (let index = 0; index < 8; index++) start[4 + index] = keys.getUint32(4 * index, true);
  start[12] = number;
  for (let index = 0; index < 3; index++) start[13 + index] = nonces.getUint32(4 * index, true);
  const state = Uint32Array.from(start);
  const turn = (index, other, bits) => {
    const mixed = state[index] ^ state[other];
    state[index] = (mixed << bits) | (mixed >>> (32 - bits));
  };
  const quarter = (a, b, c, d) => {
    state[a] += state[b];
    turn(d, a, 16);
    state[c] += state[d];
    turn(b, c, 12);
    state[a] += state[b];
    turn(d, a, 8);
    state[c] += state[d];
    turn(b, c, 7);
  };
  for (let round = 0; round < 10; round++) {
    for (let column = 0; column < 4; column++) quarter(column, column + 4, column + 8, column + 12);
    for (let column = 0; column < 4; column++) {
      quarter(column, 4 + ((column + 1) % 4), 8 + ((column + 2) % 4), 12 + ((column + 3) % 4));
    }
  }
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < 16; index++) view.setUint32(4 * index, state[index] + start[index], true);
  return bytes;
}

function chacha20(key, nonce, bytes) {
  const result = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += 64) {
    const stream = block(key, nonce, 1 + at / 64);
    const end = Math.min(bytes.length, at + 64);
    for (let index = at; index < end; index++) result[index] = bytes[index] ^ stream[index - at];
  }
  return result;
}

/// 17 bytes as ten limbs of 13 bits: products of two of them, ten added up and times five, stay exact.
function limbs(bytes) {
  const result = new Array(10).fill(0);
  for (let bit = 0; bit < 130; bit++) {
    if ((bytes[bit >> 3] >> (bit & 7)) & 1) result[Math.floor(bit / 13)] |= 1 << (bit % 13);
  }
  return result;
}

/// Brings every limb below 2^13; what goes beyond 2^130 comes back five times at the bottom.
function carried(sums) {
  let carry = 0;
  do {
    for (let index = 0; index < 10; index++) {
      const sum = sums[index] + carry;
      sums[index] = sum % 8192;
      carry = Math.floor(sum / 8192);
    }
    carry *= 5;
  } while (carry > 0);
  return sums;
}

function poly1305(key, message) {
  const clamped = Uint8Array.from(key.subarray(0, 16), (byte, index) => {
    if (index % 4 === 3) return byte & 15;
    return index > 0 && index % 4 === 0 ? byte & 252 : byte;
  });
  const factor = limbs(clamped);
  let sum = new Array(10).fill(0);
  const part = new Uint8Array(17);
  for (let at = 0; at < message.length; at += 16) {
    const piece = message.subarray(at, at + 16);
    part.fill(0).set(piece);
    part[piece.length] = 1;
    const added = limbs(part).map((limb, index) => limb + sum[index]);
    sum = new Array(10).fill(0);
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 10; j++) sum[(i + j) % 10] += added[i] * factor[j] * (i + j > 9 ? 5 : 1);
    }
    carried(sum);
  }
  // 2^130 - 5 comes off when that leaves something: adding 5 then reaches bit 130.
  const over = sum.slice();
  over[0] += 5;
  let carry = 0;
  for (let index = 0; index < 10; index++) {
    over[index] += carry;
    carry = over[index] >> 13;
    over[index] &= 8191;
  }
  if (carry > 0) sum = over;
  const tag = new Uint8Array(16);
  for (let bit = 0; bit < 128; bit++) {
    if ((sum[Math.floor(bit / 13)] >> (bit % 13)) & 1) tag[bit >> 3] |= 1 << (bit & 7);
  }
  for (let index = 0, rest = 0; index < 16; index++) {
    rest += tag[index] + key[16 + index];
    tag[index] = rest;
    rest >>= 8;
  }
  return tag;
}

function authenticator(key, nonce, associated, sealed) {
  const padding = (bytes) => new Uint8Array((16 - (bytes.length % 16)) % 16);
  const lengths = new DataView(new ArrayBuffer(16));
  lengths.setUint32(0, associated.length, true);
  lengths.setUint32(8, sealed.length, true);
  return poly1305(
    block(key, nonce, 0).subarray(0, 32),
    concat(associated, padding(associated), sealed, padding(sealed), new Uint8Array(lengths.buffer)));
}

/// `plain` encrypted, and its tag of 16 bytes behind it.
export function seal(key, nonce, associated, plain) {
  const sealed = chacha20(key, nonce, plain);
  return concat(sealed, authenticator(key, nonce, associated, sealed));
}

/// What was sealed; throws when any of it was changed.
export function open(key, nonce, associated, bytes) {
  if (bytes.length < 16) throw new Error("shorter than its tag");
  const sealed = bytes.subarray(0, -16);
  const tag = authenticator(key, nonce, associated, sealed);
  let difference = 0;
  for (let index = 0; index < 16; index++) difference |= tag[index] ^ bytes[sealed.length + index];
  if (difference !== 0) throw new Error("the tag does not fit");
  return chacha20(key, nonce, sealed);
}
