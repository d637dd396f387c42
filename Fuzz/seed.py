#!/usr/bin/env python3
"""Writes the first inputs of every fuzzer, Corpus/NAME/…, from the vectors of the tests. Standard library only."""

import hashlib
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "Fuzz" / "Corpus"
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
keep("framing", hexes(vectors("NodeTests", "webrtc_framing")))
keep("direct", [*hexes(vectors("ICETests", "stun")), b"libp2p+webrtc+v1/" + b"a" * 32 + b":libp2p+webrtc+v1/" + b"a" * 32,
                b"libp2p+webrtc+v2/" + b"p" * 24 + b":ufrg"])
