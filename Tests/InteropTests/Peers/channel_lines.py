"""The line protocol that every data-channel peer of these tests speaks; pion_peer/main.go speaks the same.

Commands come on standard input and events go to standard output, one JSON object a line.

  {"do":"open","label":L,…}                     make a channel; options: protocol, ordered (true), max_retransmits,
                                                max_lifetime_ms, negotiated (false), id
  {"do":"offer"}                                make an offer -> description
  {"do":"remote","type":"offer|answer","sdp":S} take the other side's; an offer is answered -> description
  {"do":"candidate","candidate":C,"mid":M}      one more candidate of the other side
  {"do":"send","label":L,"text":T | "hex":H}    one message
  {"do":"flood","label":L,"bytes":N,"size":M}   N bytes in messages of M -> flooded, with their digest
  {"do":"expect","label":L,"bytes":N}           -> digest, once the channel brought N bytes in all
  {"do":"echo","label":L}                       from now on send back what this channel brings
  {"do":"close","label":L}                      close one channel
  {"do":"quit"}                                 close the connection and leave; so does the end of input

  {"event":"ready","stack":…,"version":…}       it runs
  {"event":"description","type":…,"sdp":…}      ours, every candidate in it
  {"event":"state","state":…}                   of the connection
  {"event":"open","label":L,"id":I,"theirs":B,…} a channel is open
  {"event":"message","label":L,"text"|"hex":…}  one message; not told of channels whose label begins with "bulk"
  {"event":"closed","label":L}                  a channel is closed
  {"event":"flooded" | "digest","label":L,"bytes":N,"messages":M,"sha256":H}
  {"event":"error","what":…,"error":…}          a command failed
"""
import asyncio
import hashlib
import json
import os
import sys

#: What a sender keeps in the stack's buffer at most, in bytes.
BUFFERED = 1 << 20


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


class Tally:
    """What a channel brought so far."""

    def __init__(self):
        self.bytes, self.messages, self.digest, self.expected = 0, 0, hashlib.sha256(), None

    def add(self, data):
        self.bytes, self.messages = self.bytes + len(data), self.messages + 1
        self.digest.update(data)

    def report(self):
        return {"bytes": self.bytes, "messages": self.messages, "sha256": self.digest.hexdigest()}


class LinePeer:
    """A peer without its stack. A subclass gives: offer, remote, candidate, open, send, buffered, close_channel, close."""

    def __init__(self):
        self.channels, self.tallies, self.echoing, self.tasks = {}, {}, set(), set()

    # What the stack tells.

    def opened(self, label, channel, **members):
        self.channels[label] = channel
        emit("open", label=label, **members)

    def received(self, label, message):
        data = message.encode() if isinstance(message, str) else bytes(message)
        tally = self.tallies.setdefault(label, Tally())
        tally.add(data)
        if label in self.echoing:
            self.send(label, message)
        if not label.startswith("bulk"):
            shown = {"text": message} if isinstance(message, str) else {"hex": data.hex()}
            emit("message", label=label, **shown)
        self.judge(label)

    def judge(self, label):
        tally = self.tallies.setdefault(label, Tally())
        if tally.expected is not None and tally.bytes >= tally.expected:
            tally.expected = None
            emit("digest", label=label, **tally.report())

    # What the test asks.

    async def do(self, command):
        label = command.get("label")
        match command["do"]:
            case "open":
                options = {"protocol": "", "ordered": True, "max_retransmits": None, "max_lifetime_ms": None,
                           "negotiated": False, "id": None}
                options.update({k: v for k, v in command.items() if k in options})
                self.channels[label] = self.open(label, options)
            case "offer":
                await self.describe(*await self.offer())
            case "remote":
                ours = await self.remote(command["type"], command["sdp"])
                if ours:
                    await self.describe(*ours)
            case "candidate":
                await self.candidate(command["candidate"], command.get("mid", "0"))
            case "send":
                self.send(label, command["text"] if "text" in command else bytes.fromhex(command["hex"]))
            case "flood":
                task = asyncio.create_task(self.guard(command, self.flood(label, command["bytes"], command["size"])))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            case "expect":
                self.tallies.setdefault(label, Tally()).expected = command["bytes"]
                self.judge(label)
            case "echo":
                self.echoing.add(label)
            case "close":
                self.close_channel(label)
            case other:
                raise ValueError(f"nobody knows how to {other}")

    async def describe(self, kind, sdp):
        emit("description", type=kind, sdp=sdp)

    async def flood(self, label, count, size):
        tally, block = Tally(), os.urandom(65536 + size)
        while tally.bytes < count:
            begin = tally.messages % 65536
            piece = block[begin:begin + min(size, count - tally.bytes)]
            while self.buffered(label) > BUFFERED:
                await asyncio.sleep(0.002)
            self.send(label, piece)
            tally.add(piece)
            if tally.messages % 16 == 0:
                await asyncio.sleep(0)
        emit("flooded", label=label, **tally.report())

    async def guard(self, command, work):
        try:
            await work
        except Exception as e:
            shown = {k: v for k, v in command.items() if k not in ("sdp", "hex", "text")}
            emit("error", what=shown, error=f"{type(e).__name__}: {e}")

    async def run(self, **ready):
        reader = asyncio.StreamReader(limit=1 << 24)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        emit("ready", **ready)
        while line := await reader.readline():
            command = json.loads(line)
            if command["do"] == "quit":
                break
            await self.guard(command, self.do(command))
        for task in list(self.tasks):
            task.cancel()
        await self.close()
