// WebRTC between two that only a relay connects (libp2p/specs webrtc): descriptions and candidates go through
// `/webrtc-signaling/0.0.1` over the relayed connection, and the connection that comes of it is a direct one.
import { framed } from "./bytes.js";
import { Message, encode } from "./protobuf.js";
import { Channels } from "./channels.js";
import { Connection, within } from "./connection.js";

export const SIGNALLING = "/webrtc-signaling/0.0.1";
const INIT = "init";
const LIMIT = 64 * 1024;
const PATIENCE = 30_000;
const [OFFER, ANSWER, CANDIDATE] = [0, 1, 2];

const send = (stream, type, data) => stream.write(framed(encode([[1, type], [2, data]])));

async function receive(stream, type) {
  const frame = await within(PATIENCE, "a description", stream.input.frame(LIMIT));
  if (!frame) throw new Error("the signalling ended early");
  const message = new Message(frame);
  if (message.number(1) !== type) throw new Error(`a message of type ${message.number(1)} for ${type}`);
  return message.text(2);
}

/// Takes the other side's candidates until it has no more to say.
async function takeCandidates(stream, peerConnection) {
  for (let frame = await stream.input.frame(LIMIT); frame; frame = await stream.input.frame(LIMIT)) {
    const message = new Message(frame);
    if (message.number(1) !== CANDIDATE) return;
    const candidate = JSON.parse(message.text(2));
    if (!candidate?.candidate) continue;
    await peerConnection.addIceCandidate(candidate).catch((error) => console.warn(error.message));
  }
}

function connected(peerConnection) {
  return within(PATIENCE, "a direct path", new Promise((resolve, reject) => {
    const look = () => {
      const state = peerConnection.connectionState;
      if (state === "connected") resolve();
      if (["failed", "closed"].includes(state)) reject(new Error(`the direct path ${state}`));
    };
    peerConnection.addEventListener("connectionstatechange", look);
    look();
  }));
}

/// Makes a direct connection beside `relayed`: the offerer opens the stream, the other side has it handed.
export async function upgradeToDirect(node, relayed, offered) {
  const peerConnection = new RTCPeerConnection({ iceServers: node.iceServers });
  const channels = new Channels(peerConnection, INIT);
  const stream = offered ?? (await relayed.open(SIGNALLING));
  try {
    // Candidates may only follow the description that they belong to.
    const waiting = [];
    let tell = (candidate) => waiting.push(candidate);
    peerConnection.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate) return;
      node.report({ event: "candidate", candidate: candidate.candidate });
      tell(candidate);
    };
    const described = async (type) => {
      await send(stream, type, peerConnection.localDescription.sdp);
      tell = (candidate) => send(stream, CANDIDATE, JSON.stringify(candidate.toJSON())).catch(() => {});
      waiting.forEach((candidate) => tell(candidate));
    };
    const init = offered ? null : peerConnection.createDataChannel(INIT);
    if (offered) {
      await peerConnection.setRemoteDescription({ type: "offer", sdp: await receive(stream, OFFER) });
      await peerConnection.setLocalDescription(await peerConnection.createAnswer());
      await described(ANSWER);
    } else {
      await peerConnection.setLocalDescription(await peerConnection.createOffer());
      await described(OFFER);
      await peerConnection.setRemoteDescription({ type: "answer", sdp: await receive(stream, ANSWER) });
    }
    takeCandidates(stream, peerConnection).catch(() => {});
    await connected(peerConnection);
    if (init) {
      await within(PATIENCE, "the first channel", closed(init));
      stream.end();
    }
  } catch (error) {
    stream.reset(error);
    peerConnection.close();
    throw error;
  }
  if (offered) stream.end();
  const connection = new Connection({
    peer: relayed.peer, direction: offered ? "in" : "out", transport: "webrtc", address: relayed.address + "/webrtc",
  });
  connection.statistics = () => peerConnection.getStats();
  node.take(connection, channels);
  channels.start((opened) => connection.opened(opened), (error) => connection.over(error));
  return connection;
}

/// Closes the channel as soon as it is open, and waits until it is gone.
function closed(channel) {
  return new Promise((resolve) => {
    channel.onclose = resolve;
    if (channel.readyState === "open") channel.close();
    else channel.onopen = () => channel.close();
  });
}
