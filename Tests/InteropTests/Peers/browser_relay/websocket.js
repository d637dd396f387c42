// A WebSocket as a byte pipe; where its messages begin and end means nothing.
import { Incoming } from "./bytes.js";

const FULL = 1 << 20;

export function openWebSocket(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const input = new Incoming();
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => input.push(new Uint8Array(data));
    socket.onclose = () => input.end();
    socket.onerror = () => reject(new Error(`no WebSocket to ${url}`));
    socket.onopen = () => resolve({
      input,
      async write(bytes) {
        while (socket.bufferedAmount > FULL) await new Promise((resolve) => setTimeout(resolve, 10));
        if (socket.readyState !== WebSocket.OPEN) throw new Error("the WebSocket is closed");
        socket.send(bytes);
      },
      end: () => socket.close(),
      reset: () => socket.close(),
    });
  });
}
