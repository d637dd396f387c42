// Circuit relay v2, the client's side (libp2p/specs relay/circuit-v2).
import { framed } from "./bytes.js";
import { peerText } from "./identity.js";
import { Message, encode } from "./protobuf.js";
import { upgrade, within } from "./connection.js";

export const HOP = "/libp2p/circuit/relay/0.2.0/hop";
export const STOP = "/libp2p/circuit/relay/0.2.0/stop";
const LIMIT = 4096;
const PATIENCE = 30_000;
const OK = 100;
const STATUSES = {
  200: "RESERVATION_REFUSED", 201: "RESOURCE_LIMIT_EXCEEDED", 202: "PERMISSION_DENIED", 203: "CONNECTION_FAILED",
  204: "NO_RESERVATION", 400: "MALFORMED_MESSAGE", 401: "UNEXPECTED_MESSAGE",
};
const HOP_TYPE = { reserve: 0, connect: 1, status: 2 };
const STOP_TYPE = { connect: 0, status: 1 };

const limitIn = (message) => message && { seconds: message.number(1) ?? 0, bytes: message.number(2) ?? 0 };

/// Asks the relay; returns the stream, and the answer when it was OK.
async function ask(relay, request) {
  const stream = await relay.open(HOP);
  try {
    await stream.write(framed(encode(request)));
    const frame = await within(PATIENCE, "an answer of the relay", stream.input.frame(LIMIT));
    if (!frame) throw new Error("the relay ended the stream");
    const answer = new Message(frame);
    const status = answer.number(5);
    if (answer.number(1) !== HOP_TYPE.status || status !== OK) {
      throw new Error(`the relay says ${STATUSES[status] ?? status}`);
    }
    return { stream, answer };
  } catch (error) {
    stream.reset(error);
    throw error;
  }
}

/// Reserves a place at the relay; returns when it ends, in milliseconds since 1970, and the limit of its circuits.
export async function reserve(relay) {
  const { stream, answer } = await ask(relay, [[1, HOP_TYPE.reserve]]);
  stream.end();
  const expiry = (answer.message(3)?.number(1) ?? 0) * 1000;
  if (expiry <= Date.now()) throw new Error("a reservation that is over already");
  return { expiry, limit: limitIn(answer.message(4)) };
}

/// Connects to `peer` through the relay.
export async function connect(node, relay, peer) {
  const { stream, answer } = await ask(relay, [[1, HOP_TYPE.connect], [2, [[1, peer]]]]);
  const limit = limitIn(answer.message(4));
  const address = `${relay.address}/p2p/${peerText(relay.peer)}/p2p-circuit`;
  return upgrade(stream, node, { isInitiator: true, expected: peer, transport: "relay", address, limit });
}

/// Takes a connection that the relay brings.
export async function stopped(node, relay, stream) {
  const frame = await within(PATIENCE, "what the relay brings", stream.input.frame(LIMIT));
  const message = new Message(frame ?? new Uint8Array());
  const peer = message.message(2)?.bytes(1);
  const refusal = message.number(1) !== STOP_TYPE.connect ? 401 : !peer ? 400 : null;
  await stream.write(framed(encode([[1, STOP_TYPE.status], [4, refusal ?? OK]])));
  if (refusal) return stream.end();
  const limit = limitIn(message.message(3));
  const address = `${relay.address}/p2p/${peerText(relay.peer)}/p2p-circuit`;
  await upgrade(stream, node, { isInitiator: false, expected: peer, transport: "relay", address, limit });
}
