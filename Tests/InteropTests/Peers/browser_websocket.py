#!/usr/bin/env python3
"""Has a headless browser open a WebSocket and say hello in multistream. One JSON line out:

  {"event":"done","ok":B,"heard":TEXT,"error":E}     what came first over the socket

  browser_websocket.py --url wss://127.0.0.1:443/ [--browser chromium]

The certificate's authority is not asked about: no browser takes one from a file. Needs a Chromium.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html><script>
const tell = done => fetch("/", {method: "POST", body: JSON.stringify({event: "done", ...done})});
const socket = new WebSocket(%s);
socket.binaryType = "arraybuffer";
socket.onopen = () => socket.send(new TextEncoder().encode("\\x13/multistream/1.0.0\\n"));
socket.onmessage = e => tell({ok: true, heard: new TextDecoder().decode(e.data)});
socket.onerror = () => tell({ok: false, error: "the socket failed"});
</script>"""
DONE = threading.Event()


class Handler(BaseHTTPRequestHandler):
    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(PAGE.encode() if self.path == "/" else b"")

    def do_POST(self):
        if not DONE.is_set():
            print(json.dumps(json.loads(self.rfile.read(int(self.headers["Content-Length"])))), flush=True)
        self.reply(b"")
        DONE.set()

    def log_message(self, *_):
        pass


def main():
    global PAGE
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--url", required=True)
    p.add_argument("--browser", default="chromium")
    p.add_argument("--timeout", type=float, default=50)
    args = p.parse_args()
    PAGE %= json.dumps(args.url)
    # Asked to leave, leave by the way that takes the browser along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = tempfile.mkdtemp(prefix="browser")
    browser = subprocess.Popen(
        [args.browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--ignore-certificate-errors", "--user-data-dir=" + profile, f"http://127.0.0.1:{server.server_port}/"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "HOME": profile})
    try:
        if not DONE.wait(args.timeout):
            print(json.dumps({"event": "done", "ok": False, "error": "nothing came from the page"}), flush=True)
    finally:
        # Its renderers and helpers are in its process group.
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(profile, ignore_errors=True)


main()
