#!/usr/bin/env python3
"""aiortc's data channels behind the line protocol of channel_lines.py.

  aiortc_peer.py [--ip 127.0.0.1]

Needs: pip install aiortc.
"""
import argparse
import asyncio

import aioice.ice
import aiortc
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from channel_lines import LinePeer, emit


class Peer(LinePeer):
    def __init__(self):
        super().__init__()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.on("connectionstatechange", lambda: emit("state", state=self.pc.connectionState))
        self.pc.on("datachannel", lambda channel: self.watch(channel, theirs=True))

    def watch(self, channel, theirs):
        label = channel.label

        def opened():
            self.opened(label, channel, theirs=theirs, id=channel.id, protocol=channel.protocol,
                        ordered=channel.ordered, max_retransmits=channel.maxRetransmits,
                        max_lifetime_ms=channel.maxPacketLifeTime)
        channel.on("message", lambda message: self.received(label, message))
        channel.on("close", lambda: emit("closed", label=label))
        if channel.readyState == "open":
            opened()
        else:
            channel.on("open", opened)

    async def offer(self):
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return "offer", self.pc.localDescription.sdp

    async def remote(self, kind, sdp):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, kind))
        if kind != "offer":
            return None
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return "answer", self.pc.localDescription.sdp

    async def candidate(self, text, mid):
        candidate = candidate_from_sdp(text.removeprefix("a=").removeprefix("candidate:"))
        candidate.sdpMid = mid
        await self.pc.addIceCandidate(candidate)

    def open(self, label, options):
        channel = self.pc.createDataChannel(
            label, protocol=options["protocol"], ordered=options["ordered"],
            maxRetransmits=options["max_retransmits"], maxPacketLifeTime=options["max_lifetime_ms"],
            negotiated=options["negotiated"], id=options["id"])
        self.watch(channel, theirs=False)
        return channel

    def send(self, label, message):
        self.channels[label].send(message)

    def buffered(self, label):
        return self.channels[label].bufferedAmount

    def close_channel(self, label):
        self.channels[label].close()

    async def close(self):
        await self.pc.close()


async def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ip", default="127.0.0.1", help="the one address it offers")
    args = p.parse_args()
    # aioice never offers loopback candidates by itself.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [args.ip]
    await Peer().run(stack="aiortc", version=aiortc.__version__)


asyncio.run(main())
