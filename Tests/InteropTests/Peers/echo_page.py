#!/usr/bin/env python3
"""Uses the page of `swift-peer echo --http` in a headless browser, as a person would. One JSON line out.

  echo_page.py --page http://127.0.0.1:PORT/ [--version auto|1|2] [--count 20] [--browser chromium]
  ... --flag=--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/    a flag for the browser

The page is passed on unchanged, but for a script behind its own that presses the buttons, then sends messages of 4,000
bytes on the channel that never retransmits, and tells what is seen:
  {"event":"done","ok":B,"error":E,"version":V,"state":TEXT,
   "modes":{"reliable":{"sent":N,"back":N,"lost":N,"refused":N},…},"log":[…]}

Ends with 0 when all of it came about. Needs a Chromium and Python's standard library.
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
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DONE, RESULT = threading.Event(), {}

SCRIPT = """
<script>
(async () => {
  const until = async (what, isThere) => {
    for (let tries = 0; tries < 300; tries++) {
      if (isThere()) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("never came: " + what);
  };
  const lines = () => Array.from(document.querySelectorAll("#log li"), (line) => line.textContent);
  const modes = () => Object.fromEntries(MODES.map(({ key, sent, back, lost, refused, last }) =>
    [key, { sent, back, lost, refused, last }]));
  const result = { ok: false };
  try {
    await until("a connection", () => connection || document.querySelector("#state.bad"));
    if (!connection) throw new Error($("state").textContent);
    result.version = connection.version;
    result.state = $("state").textContent;
    const count = number("count");
    await until("all answers", () => MODES.every((mode) => mode.sent === count && mode.waiting.size === 0));
    $("size").value = 4000;
    $("count").value = 3;
    const once = MODES.find((mode) => mode.key === "once");
    once.row.querySelector("button").click();
    await until("the refusals", () => once.sent === count + 3 && once.waiting.size === 0);
    result.ok = true;
  } catch (error) {
    result.error = error.message;
  }
  await fetch("result", { method: "POST", body: JSON.stringify({ ...result, modes: modes(), log: lines() }) });
})();
</script>
"""


def handler(origin):
    class Handler(BaseHTTPRequestHandler):
        def reply(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            try:
                with urllib.request.urlopen(urllib.parse.urljoin(origin, self.path), timeout=10) as answer:
                    body, kind = answer.read(), answer.headers["Content-Type"]
            except urllib.error.HTTPError as error:
                return self.send_error(error.code)
            if kind.startswith("text/html"):
                body = body.replace(b"</body>", SCRIPT.encode() + b"</body>")
            self.reply(body, kind)

        def do_POST(self):
            RESULT.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.reply(b"{}", "application/json")
            DONE.set()

        def log_message(self, *_):
            pass

    return Handler


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--page", required=True)
    p.add_argument("--version", choices=("auto", "1", "2"), default="auto")
    p.add_argument("--count", type=int, default=20)
    p.add_argument("--browser", default="chromium")
    p.add_argument("--flag", action="append", default=[], help="one more flag for the browser")
    p.add_argument("--timeout", type=float, default=60)
    args = p.parse_args()
    # Asked to leave, leave by the way that takes the browser along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(args.page))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    query = urllib.parse.urlencode(
        {"connect": "", "send": "", "version": args.version, "count": args.count, "interval": 10})
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
            RESULT.update({"ok": False, "error": "nothing came from the page"})
    finally:
        # Its renderers and helpers are in its process group.
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(profile, ignore_errors=True)
    print(json.dumps({"event": "done", **RESULT}), flush=True)
    sys.exit(not RESULT.get("ok"))


main()
