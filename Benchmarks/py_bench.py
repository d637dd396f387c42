#!/usr/bin/env python3
"""py-libp2p on the streams of BenchPeer: `py_bench.py serve [LISTEN]` or `py_bench.py client ADDRESS`.

/bench/echo/1 writes everything back; /bench/sink/1 reads eight bytes big-endian n, then n bytes, and answers with the
eight bytes; /bench/stats/1 answers each line with `STATS cpu rss peak`. Needs libp2p==0.8.1.
"""
import logging
import os
import resource
import secrets
import struct
import sys
import time

logging.disable(logging.CRITICAL)

import trio
from multiaddr import Multiaddr

from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr

ECHO, SINK, STATS = (TProtocol(f"/bench/{name}/1") for name in ("echo", "sink", "stats"))
# The transports of a py-libp2p host follow from what it listens on, also those it can dial by.
DIRECT = "/ip4/127.0.0.1/udp/0/webrtc-direct"
PLACE = sys.argv[2] if sys.argv[1:2] == ["serve"] and len(sys.argv) > 2 else "/ip4/127.0.0.1/tcp/0"
LISTEN = [Multiaddr(DIRECT if "webrtc-direct" in " ".join(sys.argv) else PLACE)]


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory():
    lines = dict(line.split(":")[:2] for line in open("/proc/self/status"))
    return tuple(int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM"))


def result(name, value, unit, details=""):
    print(f"R\t{name}\t{value:.4f}\t{unit}\t{details}", flush=True)


async def exactly(stream, count):
    data = bytearray()
    while len(data) < count:
        more = await stream.read(count - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)


async def echo(stream):
    while data := await stream.read(65536):
        await stream.write(data)


async def sink(stream):
    while True:
        head = await exactly(stream, 8)
        rest = struct.unpack(">Q", head)[0]
        while rest:
            rest -= len(await stream.read(min(65536, rest)))
        await stream.write(head)


async def stats(stream):
    while True:
        await exactly(stream, 6)
        resident, peak = memory()
        await stream.write(f"STATS {cpu():014.6f} {resident:09d} {peak:09d}\n".encode())


def quietly(handler):
    async def serve(stream):
        try:
            await handler(stream)
        except Exception:
            pass
    return serve


def host():
    made = new_host(
        key_pair=create_new_key_pair(secrets.token_bytes(32)), listen_addrs=LISTEN, muxer_preference="YAMUX")
    for name, handler in ((ECHO, echo), (SINK, sink), (STATS, stats)):
        made.set_stream_handler(name, quietly(handler))
    return made


async def serve():
    made = host()
    async with made.run(listen_addrs=LISTEN):
        address = str(made.get_addrs()[0])
        print("LISTEN", address if "/p2p/" in address else f"{address}/p2p/{made.get_id()}", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        os._exit(0)


async def client(address):
    made = host()
    info = info_from_p2p_addr(Multiaddr(address))
    async with made.run(listen_addrs=LISTEN):
        times = []
        for round in range(8):
            if round:
                await made.disconnect(info.peer_id)
                await trio.sleep(0.05)
            begin = time.perf_counter()
            await made.connect(info)
            stream = await made.new_stream(info.peer_id, [ECHO])
            await stream.write(b"x")
            await exactly(stream, 1)
            times.append((time.perf_counter() - begin) * 1e3)
        later = sorted(times[1:])
        result("setup_first_ms", times[0], "ms")
        result("setup_ms", later[len(later) // 2], "ms_p50", f"min={later[0]:.2f} max={later[-1]:.2f}")
        numbers = await made.new_stream(info.peer_id, [STATS])

        async def theirs():
            await numbers.write(b"STATS\n")
            return float((await exactly(numbers, 41)).split()[1])

        stream = await made.new_stream(info.peer_id, [ECHO])
        data, times, before, count = bytes(64), [], cpu() + await theirs(), 2000
        for round in range(-100, count):
            begin = time.perf_counter()
            await stream.write(data)
            await exactly(stream, 64)
            if round >= 0:
                times.append((time.perf_counter() - begin) * 1e6)
        used = cpu() + await theirs() - before
        times.sort()
        result("rtt64_p50_us", times[count // 2], "us",
               f"p99={times[count * 99 // 100]:.1f} cpu_us_per_rtt={used / (count + 100) * 1e6:.1f}")
        for name, size, count in (("tput64k", 65536, 512), ("tput1k", 1024, 2048), ("tput64", 64, 3000)):
            stream = await made.new_stream(info.peer_id, [SINK])
            data, total, mine, other = bytes(size), size * count, cpu(), await theirs()
            begin = time.perf_counter()
            await stream.write(struct.pack(">Q", total))
            for _ in range(count):
                await stream.write(data)
            await exactly(stream, 8)
            took, sent, received = time.perf_counter() - begin, cpu() - mine, await theirs() - other
            result(name, total / took / 1e6, "MB/s",
                   f"msg_per_s={count / took:.0f} cpu_s_per_GiB={(sent + received) / total * (1 << 30):.3f} "
                   f"cpu_us_per_msg={(sent + received) / count * 1e6:.3f} tx_cpu={sent:.3f} rx_cpu={received:.3f}")
        os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        trio.run(serve)
    else:
        trio.run(client, sys.argv[2])
