#!/usr/bin/env python3
"""The page of browser_relay/ in a headless browser: a libp2p node that joins through a relay. JSON lines both ways.

  browser_relay.py [--relay MULTIADDR] [--option discover=no] [--as-installed] [--browser chromium] [--flag=…]

Out, as `swift-peer bot --json` has them: ready, reserved, connection, identify, message, sent, pong, discovered, error.
In: {"say":TEXT}  {"connect":MULTIADDR}  {"ping":PEER}  {"disconnect":PEER}  {"stay":RELAY}

Ends with its input, or when asked to. Needs a Chromium and Python's standard library.
"""
import argparse
import json
import os
import queue
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


class Handler(BaseHTTPRequestHandler):
    def reply(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = urllib.parse.urlsplit(self.path).path.lstrip("/") or "index.html"
        if name == "commands":
            return self.commands()
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
        # Before the reply: the page posts its next event behind it.
        with OUTPUT:
            print(event, flush=True)
        self.reply(200, b"{}", "application/json")

    def log_message(self, *_):
        pass


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--relay", help="stay at this relay from the start")
    p.add_argument("--option", action="append", default=[], help="NAME=VALUE for the page")
    p.add_argument("--browser", default="chromium")
    p.add_argument("--as-installed", action="store_true", help="addresses hidden behind names of mDNS, no loopback")
    p.add_argument("--flag", action="append", default=[], help="one more flag for the browser")
    args = p.parse_args()
    # Asked to leave, leave by the way that takes the browser along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = [("report", "1")] + [tuple(option.split("=", 1)) for option in args.option]
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
        env={**os.environ, "HOME": profile})

    def complaints():
        for line in browser.stderr:
            if b"CONSOLE" in line:
                sys.stderr.write(line.decode(errors="replace"))

    threading.Thread(target=complaints, daemon=True).start()
    try:
        for line in sys.stdin:
            if line.strip():
                COMMANDS.put(json.dumps(json.loads(line)))
    finally:
        # Its renderers and helpers are in its process group.
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(profile, ignore_errors=True)


main()
