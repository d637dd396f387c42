// Streams over data channels: libp2p/specs webrtc, "Multiplexing".
import { Incoming, concat, framed } from "./bytes.js";
import { Message, encode } from "./protobuf.js";

const [FIN, STOP_SENDING, RESET, FIN_ACK] = [0, 1, 2, 3];
/// Of a frame; what stands around the data fits in 7 bytes.
const LARGEST = 16384 - 7;
const FULL = 1 << 20;
const FRAME_LIMIT = 257 * 1024;
const PATIENCE = 10_000;

class ChannelStream {
  input = new Incoming();
  #channel;
  #sending = Promise.resolve();
  #ended = { here: false, there: false };
  #error = null;
  #acknowledged;
  #isOpen;

  constructor(channel) {
    this.#channel = channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = FULL / 2;
    this.#isOpen = new Promise((resolve) => {
      if (channel.readyState === "open") return resolve();
      channel.onopen = resolve;
    });
    const acknowledgement = new Promise((resolve) => (this.#acknowledged = resolve));
    this.acknowledgement = acknowledgement;
    // Frames and messages of SCTP need not begin together.
    const frames = new Incoming();
    channel.onmessage = ({ data }) => frames.push(new Uint8Array(data));
    channel.onclose = () => {
      frames.end();
      if (!this.#ended.there) this.#broken(new Error("the channel was closed"));
    };
    this.#read(frames).catch((error) => this.reset(error));
  }

  async #read(frames) {
    for (let frame = await frames.frame(FRAME_LIMIT); frame; frame = await frames.frame(FRAME_LIMIT)) {
      const message = new Message(frame);
      const data = message.bytes(2);
      if (data?.length > 0) this.input.push(data);
      switch (message.number(1)) {
        case FIN:
          this.#ended.there = true;
          this.input.end();
          this.#flag(FIN_ACK);
          this.#closeIfOver();
          break;
        case STOP_SENDING:
        case FIN_ACK:
          this.#acknowledged();
          break;
        case RESET:
          this.#broken(new Error("reset by the other side"));
          this.#channel.close();
          break;
      }
    }
  }

  #flag(flag) {
    if (this.#channel.readyState === "open") this.#channel.send(framed(encode([[1, flag]])));
  }

  write(bytes) {
    const written = this.#sending.then(() => this.#write(bytes));
    this.#sending = written.catch(() => {});
    return written;
  }

  async #write(bytes) {
    await this.#isOpen;
    for (let at = 0; at < bytes.length; at += LARGEST) {
      if (this.#channel.bufferedAmount > FULL) {
        await new Promise((resolve) => (this.#channel.onbufferedamountlow = resolve));
      }
      if (this.#error) throw this.#error;
      if (this.#ended.here) throw new Error("this side has ended the stream");
      this.#channel.send(framed(encode([[2, bytes.subarray(at, at + LARGEST)]])));
    }
  }

  /// Ends this side of it, behind what is still to be written.
  end() {
    this.#sending = this.#sending.then(async () => {
      await this.#isOpen;
      if (this.#ended.here || this.#error) return;
      this.#ended.here = true;
      this.#flag(FIN);
      this.#closeIfOver();
    });
    return this.#sending;
  }

  /// When both sides have ended and the other one knows, the channel can go.
  async #closeIfOver() {
    if (!this.#ended.here || !this.#ended.there) return;
    await Promise.race([this.acknowledgement, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
    this.#channel.close();
  }

  reset(error = new Error("reset")) {
    if (this.#error || (this.#ended.here && this.#ended.there)) return;
    this.#flag(RESET);
    this.#broken(error);
    this.#channel.close();
  }

  #broken(error) {
    this.#error ??= error;
    this.input.fail(error);
    this.#channel.onbufferedamountlow?.();
  }
}

/// The streams of one RTCPeerConnection. Those that come in before `start` wait for it.
export class Channels {
  #connection;
  #early = [];
  #start = null;

  constructor(connection, init) {
    this.#connection = connection;
    connection.ondatachannel = ({ channel }) => {
      // The offerer's first channel only makes its offer ask for channels.
      if (channel.label === init) return;
      const stream = new ChannelStream(channel);
      if (this.#start) this.#start.opened(stream);
      else this.#early.push(stream);
    };
  }

  /// `opened` gets every stream that the other side opens, `closed` the end of them all.
  start(opened, closed) {
    this.#start = { opened, closed };
    for (const stream of this.#early.splice(0)) opened(stream);
    this.#connection.addEventListener("connectionstatechange", () => {
      if (["failed", "closed"].includes(this.#connection.connectionState)) this.#end("the path is gone");
    });
    // When the other side leaves, this is what tells first.
    const { sctp } = this.#connection;
    sctp.onstatechange = () => sctp.state === "closed" && this.close("the other side left");
  }

  open() {
    return new ChannelStream(this.#connection.createDataChannel(""));
  }

  close(reason = "closed here") {
    this.#connection.close();
    this.#end(reason);
  }

  #end(reason) {
    this.#start.closed(new Error(reason));
  }
}
