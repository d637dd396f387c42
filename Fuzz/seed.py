#!/usr/bin/env python3
"""Writes the first inputs of every fuzzer, Corpus/NAME/…, from the vectors of the tests. Standard library only."""

import hashlib
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "Fuzz" / "Corpus"
# Packets of SCTP begin with a header of twelve bytes, with these ports.
PORTS = bytes.fromhex("13881388")
HEX = re.compile("([0-9a-fA-F]{2})*")


def vectors(room, name):
    return json.loads((ROOT / "Tests" / room / "Vectors" / f"{name}.json").read_text())["vectors"]


def hexes(value):
    """All texts under keys that say they are hexadecimal."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and key.endswith("hex") and HEX.fullmatch(inner):
                yield bytes.fromhex(inner)
            else:
                yield from hexes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from hexes(inner)


def texts(value, keys):
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and key in keys:
                yield inner.encode()
            else:
                yield from texts(inner, keys)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, keys)


def keep(fuzzer, inputs):
    folder = CORPUS / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    for content in inputs:
        if 0 < len(content) <= 4096:
            (folder / hashlib.sha1(content).hexdigest()[:16]).write_bytes(content)


multiaddrs = vectors("WireTests", "multiaddr")
keep("multiaddr", [*hexes(multiaddrs), *texts(multiaddrs, {"text", "canonical_text"})])
keep("multistream", hexes(vectors("ChannelsTests", "multistream")))
keep("noise", hexes(vectors("ChannelsTests", "noise_xx")))
keep("yamux", hexes(vectors("ChannelsTests", "yamux")))
# Frames begin with their length, which the fuzzer's input lacks.
keep("gossipsub", (frame[1 if frame[0] < 0x80 else 2:] for frame in hexes(vectors("GossipSubTests", "gossipsub_rpc"))))
keep("mdns", hexes(vectors("NodeTests", "mdns")))
keep("identify", hexes([vectors("NodeTests", "protobuf_messages"), vectors("WireTests", "signed_envelope")]))
keep("stun", hexes(vectors("ICETests", "stun")))
keep("candidate", texts(vectors("ICETests", "ice"), {"line", "candidate", "text", "sdp"}))
keep("sdp", texts(vectors("WebRTCTests", "sdp"), {"sdp"}))
keep("dcep", hexes(vectors("WebRTCTests", "sctp_dcep")))


def body(frame):
    """A frame's message, without its length."""
    start = next(index for index, byte in enumerate(frame) if byte < 0x80) + 1
    return frame[start:]


def both(frames):
    """Messages as they stand in a stream, for the leaves, and without their length, for the parsers."""
    for frame in frames:
        yield from (frame, body(frame))


def named(all, *words):
    return hexes([vector for vector in all if any(word in vector["name"] for word in words)])


messages = vectors("NodeTests", "protobuf_messages")
keep("hop", [*both(named(messages, "relay ", "stop ")), *hexes(vectors("WireTests", "signed_envelope"))])
signals = list(hexes(vectors("NodeTests", "webrtc_signaling")))
keep("signalling", [*both(signals), b"".join(signals)])
keep("discovery", named(vectors("NodeTests", "app_universal_connectivity"), "discovery"))
keep("kademlia", both(named(messages, "kad ")))
keep("autonat", both(named(messages, "autonat v2")))
punches = list(named(messages, "DCUtR"))
keep("dcutr", [*both(punches), b"".join(punches)])
keep("framing", hexes(vectors("NodeTests", "webrtc_framing")))
keep("direct", [*hexes(vectors("ICETests", "stun")), b"libp2p+webrtc+v1/" + b"a" * 32 + b":libp2p+webrtc+v1/" + b"a" * 32,
                b"libp2p+webrtc+v2/" + b"p" * 24 + b":ufrg"])


def hello(cookie=b"", session=b"", start=0, count=None):
    """A datagram with a fragment of a ClientHello of DTLS 1.2, behind its length."""
    body = (b"\xfe\xfd" + bytes(range(32)) + bytes([len(session)]) + session + bytes([len(cookie)]) + cookie
            + bytes.fromhex("0004c02bc02f0100") + bytes.fromhex("000e0017000000") + b"\x0a" * 90)
    part = body[start:] if count is None else body[start:start + count]
    message = (b"\x01" + len(body).to_bytes(3, "big") + b"\0\0" + start.to_bytes(3, "big")
               + len(part).to_bytes(3, "big") + part)
    record = b"\x16\xfe\xfd" + bytes(8) + len(message).to_bytes(2, "big") + message
    return len(record).to_bytes(2, "big") + record


keep("hello", [hello(), hello(b"c" * 32), hello(session=b"s" * 32), hello(count=100),
               hello(b"c" * 32, count=100) + hello(b"c" * 32, start=100),
               hello(b"c" * 32, count=100) + hello(b"c" * 32, start=60, count=80) + hello(b"c" * 32, start=140)])


def put(how, chunks):
    return bytes([how]) + len(chunks).to_bytes(2, "big") + chunks


def chunk(kind, body, flags=0):
    return bytes([kind, flags]) + (4 + len(body)).to_bytes(2, "big") + body + bytes(-len(body) % 4)


def stun(kind, *attributes):
    """A STUN message of a TURN server, its transaction all zeros."""
    body = b"".join(number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)
                    for number, value in attributes)
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442") + bytes(12) + body


signed = (8, bytes(20))
refused = stun(0x113, (9, b"\0\0\x04\x01no"), (0x14, b"example.org"), (0x15, b"n1"))
stale = stun(0x113, (9, b"\0\0\x04\x26no"), (0x14, b"example.org"), (0x15, b"n2"), signed)
allocated = stun(0x103, (0x16, bytes.fromhex("0001e1115e12d549")), (0x0D, bytes.fromhex("00000258")),
                 (0x20, bytes.fromhex("0001e1115e12d549")), signed)
done = stun(0x108, signed)
data = stun(0x17, (0x12, bytes.fromhex("00013a4ae112a643")), (0x13, b"hello"))
channel = bytes.fromhex("4000000568656c6c6f000000")
keep("turn", [refused, stale, allocated, done, data, channel, refused + allocated + done + done + data + channel,
              refused + stale + allocated + done + stale + done + channel, refused + stun(0x113, (9, b"\0\0\x04\x25no"), signed)])

packets = [packet[12:] for packet in hexes(vectors("EnginesTests", "sctp_dcep")) if packet.startswith(PORTS)]
packets += [
    chunk(1, bytes.fromhex("0102030400100000ffffffff00000001")),
    chunk(2, bytes.fromhex("01020304001000000009000900000001")),
    chunk(3, bytes.fromhex("00000000000100000001000100020003")),
    chunk(4, bytes.fromhex("0001000801020304")),
    chunk(6, b""),
    chunk(7, bytes(4)),
    chunk(8, b""),
    chunk(9, bytes.fromhex("00010008000000ff")),
    chunk(10, bytes(60)),
    chunk(11, b""),
    chunk(14, b""),
    chunk(130, bytes.fromhex("0011000c0000000100080000")),
    chunk(130, bytes.fromhex("000d001000000001000000000000000100010002")),
    chunk(192, bytes.fromhex("0000000100010001")),
    chunk(0, bytes.fromhex("00000001000100000000003541424344"), flags=3),
    chunk(193, bytes.fromhex("000000010005000801020304")),
]
puts = [put(how, packet) for packet in packets for how in (2, 35)]
keep("sctp", [*puts, b"".join(put(2, packet) for packet in packets)])
