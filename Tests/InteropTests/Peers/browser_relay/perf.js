// Perf (libp2p/specs perf), the client's side.

export const PERF = "/perf/1.0.0";
const BLOCK = 64 * 1024;

/// Sends so many bytes and has so many sent back; returns the milliseconds that each took.
export async function measure(connection, upload, download) {
  const stream = await connection.open(PERF);
  const wanted = new DataView(new ArrayBuffer(8));
  wanted.setBigUint64(0, BigInt(download));
  const start = performance.now();
  await stream.write(new Uint8Array(wanted.buffer));
  for (let rest = upload; rest > 0; rest -= BLOCK) await stream.write(new Uint8Array(Math.min(rest, BLOCK)));
  await stream.end();
  let came = 0;
  let begin = null;
  for (let bytes = await stream.input.some(); bytes; bytes = await stream.input.some()) {
    begin ??= performance.now();
    came += bytes.length;
  }
  if (came !== download) throw new Error(`${came} bytes for ${download}`);
  const end = performance.now();
  return { upload: (begin ?? end) - start, download: end - (begin ?? end) };
}
