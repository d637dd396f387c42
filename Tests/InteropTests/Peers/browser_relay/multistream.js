// multistream-select 1.0.0: what a stream is for (libp2p/specs connections).
import { concat, framed, textOf, utf8 } from "./bytes.js";

const HEADER = "/multistream/1.0.0";
const LIMIT = 1024;
const token = (text) => framed(utf8(text + "\n"));

async function read(input) {
  const frame = await input.frame(LIMIT);
  if (!frame) throw new Error("the stream ended before it was agreed on");
  const text = textOf(frame);
  if (!text.endsWith("\n")) throw new Error("a token without its end");
  return text.slice(0, -1);
}

async function expectHeader(input) {
  const header = await read(input);
  if (header !== HEADER) throw new Error(`${header} for ${HEADER}`);
}

/// Proposes these protocols, one after the other; returns the one that was taken.
export async function select(stream, protocols) {
  await stream.write(concat(token(HEADER), token(protocols[0])));
  await expectHeader(stream.input);
  for (const [index, protocol] of protocols.entries()) {
    if (index > 0) await stream.write(token(protocol));
    const answer = await read(stream.input);
    if (answer === protocol) return protocol;
    if (answer !== "na") throw new Error(`${answer} for ${protocol}`);
  }
  throw new Error(`not spoken there: ${protocols.join(", ")}`);
}

/// Answers proposals until `isSpoken` takes one, and returns it.
export async function answer(stream, isSpoken) {
  await stream.write(token(HEADER));
  await expectHeader(stream.input);
  for (let proposals = 0; proposals < 20; proposals++) {
    const protocol = await read(stream.input);
    const isTaken = isSpoken(protocol);
    await stream.write(token(isTaken ? protocol : "na"));
    if (isTaken) return protocol;
  }
  throw new Error("too many proposals");
}
