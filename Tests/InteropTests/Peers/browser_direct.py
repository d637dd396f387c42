#!/usr/bin/env python3
"""Has a headless browser dial a /webrtc-direct address: Noise on channel 0, then pings. JSON lines out.

  browser_direct.py --address MULTIADDR [--version 1|2] [--pings 3] [--browser chromium]
  ... --flag=--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/    a flag for the browser

  {"event":"channel","ufrag":U,"at_ms":T}   channel 0 is open: ICE, DTLS and SCTP are done
  {"event":"noise","peer":P}                the listener proved to be P
  {"event":"pong","ms":R,"id":I}            one round trip over channel I
  {"event":"done","ok":B,"error":E,"connection":…,"pair":…,"cipher":…}   the last one

Ends with 0 when all went well. Needs a Chromium and Python's standard library.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
DONE, ENDING = threading.Event(), {}


def emit(members):
    print(json.dumps(members), flush=True)


class Handler(BaseHTTPRequestHandler):
    def reply(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with open(os.path.join(HERE, "browser_direct.html"), "rb") as page:
            self.reply(page.read(), "text/html")

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # Before the reply: behind it the page goes on, and another thread would tell what comes next.
        emit(event)
        self.reply(b"{}", "application/json")
        if event["event"] == "done":
            ENDING.update(event)
            DONE.set()

    def log_message(self, *_):
        pass


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--address", required=True)
    p.add_argument("--version", choices=("1", "2"), default="2")
    p.add_argument("--pings", type=int, default=3)
    p.add_argument("--browser", default="chromium")
    p.add_argument("--flag", action="append", default=[], help="one more flag for the browser")
    p.add_argument("--timeout", type=float, default=60)
    args = p.parse_args()
    # Asked to leave, leave by the way that takes the browser along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    query = urllib.parse.urlencode({"ma": args.address, "v": args.version, "pings": args.pings})
    profile = tempfile.mkdtemp(prefix="browser")
    browser = subprocess.Popen(
        [args.browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
         "--user-data-dir=" + profile, *args.flag, f"http://127.0.0.1:{server.server_port}/?{query}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "HOME": profile})
    said = []
    threading.Thread(target=lambda: said.extend(browser.stderr), daemon=True).start()
    try:
        if not DONE.wait(args.timeout):
            sys.stderr.write(b"".join(said[-20:]).decode(errors="replace"))
            emit({"event": "done", "ok": False, "error": "nothing came from the page"})
    finally:
        # Its renderers and helpers are in its process group.
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(profile, ignore_errors=True)
    sys.exit(not ENDING.get("ok"))


main()
