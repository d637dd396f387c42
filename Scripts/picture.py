#!/usr/bin/env python3
"""Draws Assets/chat.svg and Assets/relay.svg: real chats in a real terminal, as tmux sees them.

  picture.py --program .build/release/swift-peer OUT.svg
  picture.py --program .build/release/swift-peer --through-relay OUT.svg

Two peers start in a network of their own, find each other by mDNS or through a relay, talk, and what tmux then has on
its screens is drawn. Needs tmux, and unshare for the network. Standard library only.
"""
import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
import unicodedata
from xml.sax.saxutils import escape

COLUMNS, ROWS = 96, 24
CELL_WIDTH, CELL_HEIGHT, MARGIN, TITLE, GAP = 8.4, 18, 14, 30, 22
PAPER, INK = "#16181d", "#d8dee9"
ANSI = ["#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
        "#5c6370", "#ff7b86", "#b5e890", "#ffd68a", "#7fc4ff", "#dd9af0", "#78d7e2", "#ffffff"]
LINES = dict(zip("jklmnqtuvwx`afgoprs~", "┘┐┌└┼─├┤┴┬│◆▒°±⎺⎻⎼⎽·"))
NETWORK = """
ip link set lo up
{ ip link add talk0 type dummy || ip link add talk0 type veth peer name talk1; } 2>/dev/null
if ip link show talk0 >/dev/null 2>&1; then
    ip address add 10.77.0.1/24 dev talk0; ip link set talk0 up multicast on
    ip link set talk1 up 2>/dev/null; ip route add 224.0.0.0/4 dev talk0
else
    ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo
fi
exec "$@"
"""


def color(index):
    if index < 16:
        return ANSI[index]
    if index < 232:
        steps = [0, 95, 135, 175, 215, 255]
        index -= 16
        return "#%02x%02x%02x" % (steps[index // 36], steps[index // 6 % 6], steps[index % 6])
    return "#%02x%02x%02x" % ((8 + (index - 232) * 10,) * 3)


class Pen:
    """What `ESC [ … m` has switched on."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.ink = self.paper = None
        self.bold = self.dim = self.underline = self.reverse = False

    def apply(self, codes):
        codes = [int(c or 0) for c in codes.replace(":", ";").split(";")]
        while codes:
            code = codes.pop(0)
            match code:
                case 0: self.reset()
                case 1: self.bold = True
                case 2: self.dim = True
                case 4: self.underline = True
                case 7: self.reverse = True
                case 22: self.bold = self.dim = False
                case 24: self.underline = False
                case 27: self.reverse = False
                case 39: self.ink = None
                case 49: self.paper = None
                case 38 | 48 if codes:
                    if codes.pop(0) == 5:
                        value = color(codes.pop(0))
                    else:
                        value = "#%02x%02x%02x" % tuple(codes[:3])
                        del codes[:3]
                    if code == 38:
                        self.ink = value
                    else:
                        self.paper = value
                case _ if 30 <= code <= 37: self.ink = color(code - 30)
                case _ if 40 <= code <= 47: self.paper = color(code - 40)
                case _ if 90 <= code <= 97: self.ink = color(code - 82)
                case _ if 100 <= code <= 107: self.paper = color(code - 92)

    def style(self):
        ink, paper = self.ink or INK, self.paper or PAPER
        return (paper, ink, self.bold, self.dim, self.underline) if self.reverse else \
            (ink, paper, self.bold, self.dim, self.underline)


def width(character):
    if unicodedata.combining(character) or character in "\u200d\ufe0f" or "\U0001f3fb" <= character <= "\U0001f3ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def runs(line, pen):
    """(column, cells, text, style) of the pieces of a line that look alike."""
    out, column, charset = [], 0, False
    for piece in re.split(r"(\x1b\[[\d;:]*m|\x0e|\x0f|\x1b\([B0])", line):
        if piece.startswith("\x1b["):
            pen.apply(piece[2:-1])
            continue
        if piece in ("\x0e", "\x1b(0", "\x0f", "\x1b(B"):
            charset = piece in ("\x0e", "\x1b(0")
            continue
        text = "".join(LINES.get(c, c) for c in piece) if charset else piece
        # Wide characters stand alone: a font that lacks them must not move what follows.
        for part in re.findall("[%s]+|." % re.escape("".join(c for c in set(text) if width(c) == 1) or " "), text):
            cells = sum(map(width, part))
            out.append((column, cells, part, pen.style()))
            column += cells
    return out


def terminal(title, screen, top):
    """SVG of one window whose upper edge is at `top`."""
    wide, high = COLUMNS * CELL_WIDTH + 2 * MARGIN, ROWS * CELL_HEIGHT + 2 * MARGIN + TITLE
    out = [f'<g transform="translate(0 {top})">',
           f'<rect width="{wide:.1f}" height="{high}" rx="10" fill="{PAPER}"/>',
           *(f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="{c}"/>'
             for i, c in enumerate(("#ff5f57", "#febc2e", "#28c840"))),
           f'<text x="{wide / 2:.1f}" y="22" fill="#7d8590" text-anchor="middle">{escape(title)}</text>']
    pen = Pen()
    for row, line in enumerate(screen.split("\n")[:ROWS]):
        y = TITLE + MARGIN + row * CELL_HEIGHT
        for column, cells, text, (ink, paper, bold, dim, underline) in runs(line, pen):
            x = MARGIN + column * CELL_WIDTH
            if paper != PAPER:
                out.append(f'<rect x="{x:.1f}" y="{y}" width="{cells * CELL_WIDTH:.1f}" height="{CELL_HEIGHT}" '
                           f'fill="{paper}"/>')
            if text.strip():
                look = (' font-weight="bold"' if bold else "") + (' opacity="0.6"' if dim else "") + \
                    (' text-decoration="underline"' if underline else "")
                out.append(f'<text x="{x:.1f}" y="{y + 13.5}" fill="{ink}" textLength="{cells * CELL_WIDTH:.1f}" '
                           f'lengthAdjust="spacingAndGlyphs"{look}>{escape(text)}</text>')
    out.append("</g>")
    return out, wide, high


class Tmux:
    def __init__(self, folder):
        self.argv = ["tmux", "-u", "-S", os.path.join(folder, "tmux"), "-f", "/dev/null"]
        start = [*self.argv, "new-session", "-d", "-s", "stage", "-x", str(COLUMNS), "-y", str(ROWS), "cat"]
        subprocess.run(["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"]),
                        "sh", "-c", NETWORK, "sh", *start], check=True)
        self("set-option", "-g", "default-terminal", "screen-256color")

    def __call__(self, *arguments):
        return subprocess.run([*self.argv, *arguments], check=True, capture_output=True, text=True).stdout

    def open(self, name, command):
        self("new-window", "-d", "-n", name, "-t", "stage:", command)
        self("resize-window", "-t", "stage:" + name, "-x", str(COLUMNS), "-y", str(ROWS))

    def say(self, name, line):
        self("send-keys", "-t", "stage:" + name, "-l", line)
        self("send-keys", "-t", "stage:" + name, "Enter")

    def wait(self, name, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self("capture-pane", "-p", "-t", "stage:" + name):
            if time.monotonic() > end:
                raise SystemExit(f"{name} never showed {text!r}:\n" + self("capture-pane", "-p", "-t", "stage:" + name))
            time.sleep(0.05)

    def screen(self, name):
        return self("capture-pane", "-e", "-p", "-N", "-t", "stage:" + name)


MEETING = [
    ("ada", "good morning! nobody typed an address, and here we are"),
    ("bob", "found you by mDNS · Noise, Yamux, GossipSub, all in one Swift program"),
    ("ada", "grüße, 日本語 and 👋 take the cells they take"),
    ("bob", "and a peer written in Go or Python reads every word"),
]
RELAYED = [
    ("ada", "neither of us can be dialled, and here we are: the relay carried the first words"),
    ("bob", "and now it does not: the pane below says relay → webrtc, and what each step took"),
    ("ada", "it can go away, and we go on talking"),
]


def open_chats(tmux, folder, program, flags):
    for name in ("ada", "bob"):
        tmux.open(name, f"env HOME={folder} TZ=UTC '{program}' chat --ephemeral --no-stun --nick {name} {flags}")
        tmux.wait(name, name)


def open_relay(tmux, folder, program):
    """Starts a relay; its address."""
    told = os.path.join(folder, "relay.out")
    tmux.open("relay", f"env HOME={folder} '{program}' relay --ephemeral --no-mdns --no-stun "
                       f"--listen /ip4/10.77.0.1/tcp/9095 > {told}")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with open(told) as lines:
            if found := re.search(r"listening on (/ip4/10\.77\.0\.1/tcp/9095/p2p/\S+)", lines.read()):
                return found.group(1)
        time.sleep(0.05)
    raise SystemExit("the relay does not listen")


def draw(tmux, names, path):
    body, top = [], 0
    for name in names:
        drawn, wide, high = terminal(f"swift-peer · {name}", tmux.screen(name), top)
        body += drawn
        top += high + GAP
    with open(path, "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {top - GAP}" '
                  f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" '
                  f'xml:space="preserve">\n' + "\n".join(body) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--through-relay", action="store_true")
    parser.add_argument("out")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="picture")
    program = os.path.abspath(options.program)
    tmux = Tmux(folder)
    try:
        if options.through_relay:
            open_chats(tmux, folder, program, 
                       f"--no-mdns --listen /p2p-circuit --connect {open_relay(tmux, folder, program)}")
            for name in ("ada", "bob"):
                tmux.wait(name, "relay → webrtc", 60)
        else:
            open_chats(tmux, folder, program, "--listen /ip4/0.0.0.0/tcp/0")
        time.sleep(4)  # they meet, and the mesh stands
        for name, line in RELAYED if options.through_relay else MEETING:
            tmux.say(name, line)
            tmux.wait("bob" if name == "ada" else "ada", line[:30])
            time.sleep(1)
        time.sleep(2)
        draw(tmux, ["ada"] if options.through_relay else ["ada", "bob"], options.out)
    finally:
        for name in ("ada", "bob", "relay"):
            try:
                tmux.say(name, "/quit")
            except subprocess.CalledProcessError:
                pass
        time.sleep(1)
        tmux("kill-server")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
