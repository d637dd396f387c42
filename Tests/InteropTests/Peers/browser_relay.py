#!/usr/bin/env python3
"""The page of browser_relay/ in a headless browser: a libp2p node that joins through a relay. JSON lines both ways.

  browser_relay.py [--relay MULTIADDR] [--option discover=no] [--as-installed] [--browser chromium] [--flag=…]

Out, as `swift-peer bot --json` has them: ready, reserved, connection, identify, peer, candidate, message, sent, pong,
perf, discovered, error.
In: {"say":TEXT}  {"connect":MULTIADDR}  {"ping":PEER}  {"perf":PEER,"bytes":N}  {"disconnect":PEER}  {"stay":RELAY}

Ends with its input, or when asked to. Needs a Chromium and Python's standard library.
"""
import argparse
import ctypes
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser_relay")
KINDS = {".html": "text/html", ".js": "text/javascript"}
COMMANDS, OUTPUT = queue.Queue(), threading.Lock()
# Known to our page alone: no other one, left over from another server on this port, is heard or takes commands.
KEY = secrets.token_hex(8)
PR_SET_PDEATHSIG = 1


class Handler(BaseHTTPRequestHandler):
    def reply(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/commands/" + KEY:
            return self.commands()
        name = urllib.parse.urlsplit(self.path).path.lstrip("/") or "index.html"
        kind = KINDS.get(os.path.splitext(name)[1])
        if kind is None or name not in os.listdir(HERE):
            return self.reply(404, b"", "text/plain")
        with open(os.path.join(HERE, name), "rb") as file:
            self.reply(200, file.read(), kind)

    def commands(self):
        """Lines of standard input, as events that the server sends."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while True:
            self.wfile.write(b"data: " + COMMANDS.get().encode() + b"\n\n")
            self.wfile.flush()

    def do_POST(self):
        event = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path != "/event/" + KEY:
            return self.reply(404, b"", "text/plain")
        # Before the reply: the page posts its next event behind it.
        with OUTPUT:
            print(event, flush=True)
        self.reply(200, b"{}", "application/json")

    def log_message(self, *_):
        pass


def never_alone():
    """In the browser's process: when we are killed, it goes too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--relay", help="stay at this relay from the start")
    p.add_argument("--option", action="append", default=[], help="NAME=VALUE for the page")
    p.add_argument("--browser", default="chromium")
    p.add_argument("--as-installed", action="store_true", help="addresses hidden behind names of mDNS, no loopback")
    p.add_argument("--flag", action="append", default=[], help="one more flag for the browser")
    args = p.parse_args()
    # Asked to leave, leave by the way that takes the browser along. Blocked in every thread, the signal waits for us.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = [("report", KEY)] + [tuple(option.split("=", 1)) for option in args.option]
    if args.relay:
        options.append(("relay", args.relay))
    eased = ["--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"]
    profile = tempfile.mkdtemp(prefix="browser")
    browser = subprocess.Popen(
        [args.browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--enable-logging=stderr", "--user-data-dir=" + profile, *([] if args.as_installed else eased), *args.flag,
         f"http://127.0.0.1:{server.server_port}/?{urllib.parse.urlencode(options)}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "HOME": profile}, preexec_fn=never_alone)

    def complaints():
        for line in browser.stderr:
            if b"CONSOLE" in line:
                sys.stderr.write(line.decode(errors="replace"))

    def commands():
        for line in sys.stdin:
            if line.strip():
                COMMANDS.put(line.strip())
        os.kill(os.getpid(), signal.SIGTERM)

    for reading in (complaints, commands):
        threading.Thread(target=reading, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    # Its renderers and helpers are in its process group.
    os.killpg(browser.pid, signal.SIGKILL)
    browser.wait()
    shutil.rmtree(profile, ignore_errors=True)
    # Not by way of the threads: one of them may be reading, and another writing.
    os._exit(0)


main()
