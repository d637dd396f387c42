// Base58, the text of peer ids.

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The digits of a number in another base; leading zeros are kept one by one.
function converted(digits, from, to) {
  const result = [];
  for (const digit of digits) {
    let carry = digit;
    for (let index = 0; index < result.length; index++) {
      carry += result[index] * from;
      result[index] = carry % to;
      carry = Math.floor(carry / to);
    }
    for (; carry > 0; carry = Math.floor(carry / to)) result.push(carry % to);
  }
  const zeros = digits.findIndex((digit) => digit !== 0);
  return [...new Array(zeros < 0 ? digits.length : zeros).fill(0), ...result.reverse()];
}

export const encode58 = (bytes) => converted(Array.from(bytes), 256, 58).map((digit) => ALPHABET[digit]).join("");

export function decode58(text) {
  const digits = Array.from(text, (letter) => ALPHABET.indexOf(letter));
  if (digits.includes(-1)) throw new Error(`not base58: ${text}`);
  return Uint8Array.from(converted(digits, 58, 256));
}
