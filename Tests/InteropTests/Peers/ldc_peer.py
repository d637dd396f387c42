#!/usr/bin/env python3
"""libdatachannel behind the line protocol of channel_lines.py, through its C API.

  ldc_peer.py --lib LIBDATACHANNEL.so [--ip 127.0.0.1]

The shared object must export the rtc* C functions of libdatachannel 0.22 to 0.24, as those in PyPI's wheels do.
"""
import argparse
import asyncio
import ctypes as C
import os

from channel_lines import LinePeer, emit

STATES = ["new", "connecting", "connected", "disconnected", "failed", "closed"]
GATHERED = 2


class Config(C.Structure):
    """rtcConfiguration."""
    _fields_ = [("iceServers", C.POINTER(C.c_char_p)), ("iceServersCount", C.c_int),
                ("proxyServer", C.c_char_p), ("bindAddress", C.c_char_p),
                ("certificateType", C.c_int), ("iceTransportPolicy", C.c_int),
                ("enableIceTcp", C.c_bool), ("enableIceUdpMux", C.c_bool),
                ("disableAutoNegotiation", C.c_bool), ("forceMediaTransport", C.c_bool),
                ("portRangeBegin", C.c_uint16), ("portRangeEnd", C.c_uint16),
                ("mtu", C.c_int), ("maxMessageSize", C.c_int)]


class Reliability(C.Structure):
    """rtcReliability."""
    _fields_ = [("unordered", C.c_bool), ("unreliable", C.c_bool),
                ("max_lifetime_ms", C.c_uint), ("max_retransmits", C.c_uint)]


class Init(C.Structure):
    """rtcDataChannelInit."""
    _fields_ = [("reliability", Reliability), ("protocol", C.c_char_p), ("negotiated", C.c_bool),
                ("manual", C.c_bool), ("stream", C.c_uint16)]


NUMBER = C.CFUNCTYPE(None, C.c_int, C.c_int, C.c_void_p)
PLAIN = C.CFUNCTYPE(None, C.c_int, C.c_void_p)
MESSAGE = C.CFUNCTYPE(None, C.c_int, C.POINTER(C.c_char), C.c_int, C.c_void_p)


class Peer(LinePeer):
    def __init__(self, lib, ip):
        super().__init__()
        self.lib, self.loop = lib, asyncio.get_running_loop()
        self.labels, self.theirs, self.gathered = {}, set(), asyncio.Event()
        # The library calls from threads of its own: these hand over to ours, and must outlive every channel.
        self.on_state = NUMBER(lambda pc, state, _: self.later(self.state, state))
        self.on_gathering = NUMBER(lambda pc, state, _: state == GATHERED and self.later(self.gathered.set))
        self.on_channel = NUMBER(self.channel_came)
        self.on_open = PLAIN(lambda channel, _: self.later(self.channel_opened, channel))
        self.on_closed = PLAIN(lambda channel, _: self.later(self.channel_closed, channel))
        self.on_message = MESSAGE(self.message_came)
        config = Config(bindAddress=ip.encode(), disableAutoNegotiation=True)
        self.pc = self.check(lib.rtcCreatePeerConnection(C.byref(config)))
        lib.rtcSetStateChangeCallback(self.pc, self.on_state)
        lib.rtcSetGatheringStateChangeCallback(self.pc, self.on_gathering)
        lib.rtcSetDataChannelCallback(self.pc, self.on_channel)

    def later(self, function, *arguments):
        self.loop.call_soon_threadsafe(function, *arguments)

    @staticmethod
    def check(code):
        if code < 0:
            raise OSError(f"libdatachannel says {code}")
        return code

    def text_of(self, function, identifier):
        buffer = C.create_string_buffer(1 << 16)
        self.check(function(identifier, buffer, len(buffer)))
        return buffer.value.decode()

    # On the library's threads.

    def channel_came(self, pc, channel, _):
        label = self.text_of(self.lib.rtcGetDataChannelLabel, channel)
        self.labels[channel] = label
        self.theirs.add(channel)
        self.watch(channel)

    def message_came(self, channel, data, size, _):
        # Negative: a text with the zero behind it.
        raw = C.string_at(data, size if size >= 0 else -size - 1)
        self.later(self.took, channel, raw if size >= 0 else raw.decode())

    # On ours.

    def took(self, channel, message):
        self.received(self.labels[channel], message)

    def state(self, state):
        emit("state", state=STATES[state])

    def watch(self, channel):
        self.lib.rtcSetOpenCallback(channel, self.on_open)
        self.lib.rtcSetClosedCallback(channel, self.on_closed)
        self.lib.rtcSetMessageCallback(channel, self.on_message)

    def channel_opened(self, channel):
        way = Reliability()
        self.lib.rtcGetDataChannelReliability(channel, C.byref(way))
        timed = way.unreliable and way.max_lifetime_ms > 0
        self.opened(self.labels[channel], channel, theirs=channel in self.theirs,
                    id=self.lib.rtcGetDataChannelStream(channel),
                    protocol=self.text_of(self.lib.rtcGetDataChannelProtocol, channel), ordered=not way.unordered,
                    max_retransmits=way.max_retransmits if way.unreliable and not timed else None,
                    max_lifetime_ms=way.max_lifetime_ms if timed else None)

    def channel_closed(self, channel):
        emit("closed", label=self.labels[channel])

    async def local(self, kind):
        self.check(self.lib.rtcSetLocalDescription(self.pc, kind.encode()))
        await self.gathered.wait()
        return kind, self.text_of(self.lib.rtcGetLocalDescription, self.pc)

    async def offer(self):
        return await self.local("offer")

    async def remote(self, kind, sdp):
        self.check(self.lib.rtcSetRemoteDescription(self.pc, sdp.encode(), kind.encode()))
        return await self.local("answer") if kind == "offer" else None

    async def candidate(self, text, mid):
        self.check(self.lib.rtcAddRemoteCandidate(self.pc, text.encode(), mid.encode()))

    def open(self, label, options):
        retransmits, lifetime = options["max_retransmits"], options["max_lifetime_ms"]
        way = Reliability(not options["ordered"], retransmits is not None or lifetime is not None,
                          lifetime or 0, retransmits or 0)
        init = Init(way, options["protocol"].encode(), options["negotiated"], options["id"] is not None,
                    options["id"] or 0)
        channel = self.check(self.lib.rtcCreateDataChannelEx(self.pc, label.encode(), C.byref(init)))
        self.labels[channel] = label
        self.watch(channel)
        return channel

    def send(self, label, message):
        data = message.encode() if isinstance(message, str) else message
        size = -1 if isinstance(message, str) else len(data)
        self.check(self.lib.rtcSendMessage(self.channels[label], data, size))

    def buffered(self, label):
        return self.check(self.lib.rtcGetBufferedAmount(self.channels[label]))

    def close_channel(self, label):
        self.check(self.lib.rtcClose(self.channels[label]))

    async def close(self):
        # In a thread: it waits for callbacks that this loop must still take.
        await asyncio.to_thread(self.lib.rtcClosePeerConnection, self.pc)
        await asyncio.sleep(0.2)


async def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--lib", required=True)
    p.add_argument("--ip", default="127.0.0.1", help="the address it binds")
    args = p.parse_args()
    # Lazily: the object in the wheel is a Python module too, whose symbols of Python are never needed here.
    lib = C.CDLL(args.lib, mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
    await Peer(lib, args.ip).run(stack="libdatachannel", version=os.path.basename(args.lib))
    # Its threads may still run; Python must not unload under them.
    os._exit(0)


asyncio.run(main())
