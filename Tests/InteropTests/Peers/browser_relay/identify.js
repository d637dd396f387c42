// Identify and its push (libp2p/specs identify), and ping.
import { equal, framed, textOf } from "./bytes.js";
import { Message, encode } from "./protobuf.js";
import { addressFrom, bytesOf } from "./multiaddr.js";
import { peerOf } from "./identity.js";
import { within } from "./connection.js";

export const IDENTIFY = "/ipfs/id/1.0.0";
export const PUSH = "/ipfs/id/push/1.0.0";
export const PING = "/ipfs/ping/1.0.0";
const AGENT = "swift-peer/page";
const LIMIT = 8192;
const PATIENCE = 5_000;
const PINGED = 32;

const described = (node) => framed(encode([
  [1, node.identity.publicKey],
  ...node.addresses.map((address) => [2, bytesOf(address)]),
  ...node.protocols.map((protocol) => [3, protocol]),
  [5, "ipfs/0.1.0"],
  [6, AGENT],
]));

/// Reads up to ten messages until the other side ends, as one.
async function read(stream, connection) {
  const seen = { protocols: [], addresses: [] };
  for (let count = 0; count < 10; count++) {
    const frame = await stream.input.frame(LIMIT);
    if (!frame) break;
    const message = new Message(frame);
    const key = message.bytes(1);
    if (key && !equal(await peerOf(key), connection.peer)) throw new Error("identify names somebody else");
    seen.protocols.push(...message.all(3).map(textOf));
    seen.agent = message.text(6) ?? seen.agent;
    for (const bytes of message.all(2)) {
      try {
        seen.addresses.push(addressFrom(bytes));
      } catch {
        // Of a kind that a page cannot use.
      }
    }
  }
  connection.protocols = seen.protocols;
  connection.agent = seen.agent ?? connection.agent;
  return seen;
}

export async function identify(connection) {
  const stream = await connection.open(IDENTIFY);
  stream.end();
  return within(PATIENCE, "identify", read(stream, connection));
}

export async function answerIdentify(node, stream) {
  await stream.write(described(node));
  await stream.end();
}

export async function takePush(stream, connection) {
  await within(PATIENCE, "a push", read(stream, connection));
  await stream.end();
}

/// Tells what changed to everyone who wants to hear it.
export async function push(node) {
  const listeners = node.connections.filter(({ protocols }) => protocols?.includes(PUSH));
  await Promise.allSettled(listeners.map(async (connection) => {
    const stream = await connection.open(PUSH);
    await stream.write(described(node));
    await stream.end();
  }));
}

/// One round trip, in milliseconds.
export async function ping(connection) {
  const stream = await connection.open(PING);
  const sent = crypto.getRandomValues(new Uint8Array(PINGED));
  const start = performance.now();
  await stream.write(sent);
  const back = await within(PATIENCE, "a ping", stream.input.exactly(PINGED));
  stream.end();
  if (!equal(sent, back)) throw new Error("a ping came back changed");
  return performance.now() - start;
}

export async function answerPing(stream) {
  try {
    for (;;) await stream.write(await stream.input.exactly(PINGED));
  } catch (error) {
    if (!stream.input.isOver) throw error;
    await stream.end();
  }
}
