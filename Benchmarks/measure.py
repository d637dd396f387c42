#!/usr/bin/env python3
"""Measures the release build on this machine, interleaved with the peers it is compared with.

  measure.py --program SWIFT_PEER --bench BENCH_PEER --p2pd P2PD [--rounds 5] [--only relay]

Prints medians (minimum to maximum) as the tables of RESULTS.md. Everything stays on 127.0.0.1.
"""
import argparse
import fcntl
import json
import os
import pty
import re
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "..", "Tests", "InteropTests", "Peers")
QUIET = ["--ephemeral", "--no-mdns", "--no-stun"]
# What swift-peer tells the allocator at its start, for BenchPeer, which is only the library.
ALLOCATOR = "glibc.malloc.trim_threshold=8388608:glibc.malloc.mmap_threshold=2097152"
ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no", "LANG": "C.UTF-8", "TERM": "screen-256color",
               "GLIBC_TUNABLES": ALLOCATOR}


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024


def cpu(pid):
    """Seconds on a CPU, all threads."""
    ticks = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    coarse = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return sum(int(open(f"/proc/{pid}/task/{t}/schedstat").read().split()[0]) for t in tasks) / 1e9
    except OSError:
        return coarse


def family(pid):
    """A process and those it started: the go daemon is a child of the script that drives it."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            for child in open(f"/proc/{pid}/task/{task}/children").read().split():
                found += family(int(child))
        except OSError:
            pass
    return found


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def spread(values, digits=1):
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


class Program:
    """A child whose first line of output names its address."""

    def __init__(self, argv, name=None):
        self.child = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
        line = self.child.stdout.readline()
        if line.startswith("LISTEN "):
            self.address = line.split()[1]
        else:
            event = json.loads(line)
            addresses = event.get("addresses") or event.get("addrs")
            self.address = next(a for a in addresses if "/tcp/" in a)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(8)
        except subprocess.TimeoutExpired:
            self.child.kill()


def streams(options, listen="/ip4/127.0.0.1/tcp/0"):
    """Round trips and bulk over one TCP connection, each pair once a round."""
    python = [sys.executable, os.path.join(HERE, "py_bench.py")]
    ours = [options.bench]
    pairs = {"swift-peer": (ours, ours), "py-libp2p": (python, python), "swift-peer → py-libp2p": (ours, python),
             "py-libp2p → swift-peer": (python, ours)}
    found = {}
    for round in range(options.rounds):
        for name, (client, server) in pairs.items():
            with Program(server + ["serve", listen]) as listening:
                out = subprocess.run(client + ["client", listening.address], capture_output=True, text=True,
                                     timeout=300, env=ENVIRONMENT)
            for line in out.stdout.splitlines():
                if not line.startswith("R\t"):
                    continue
                _, key, value, _, details = line.split("\t")
                found.setdefault((name, key), []).append(float(value))
                for detail in details.split():
                    if "=" in detail:
                        what, number = detail.split("=")
                        found.setdefault((name, key + " " + what), []).append(float(number))
            print(f"round {round + 1} {name}: exit {out.returncode} {out.stderr[-200:]}", file=sys.stderr)
    columns = [("64 KiB writes MB/s", "tput64k", 0), ("CPU s/GiB", "tput64k cpu_s_per_GiB", 2),
               ("1 KiB k writes/s", "tput1k msg_per_s", 1), ("64 B k writes/s", "tput64 msg_per_s", 1),
               ("64 B RTT p50 µs", "rtt64_p50_us", 0), ("p99 µs", "rtt64_p50_us p99", 0),
               ("dial → first byte ms", "setup_ms", 1), ("longest", "setup_ms max", 1)]
    print("| | " + " | ".join(title for title, _, _ in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in pairs:
        cells = []
        for title, key, digits in columns:
            values = found.get((name, key))
            scale = 1000 if title.startswith(("1 KiB", "64 B k")) else 1
            cells.append(spread([v / scale for v in values], digits) if values else "–")
        print(f"| {name} | " + " | ".join(cells) + " |")


def direct(options):
    """The same over webrtc-direct."""
    streams(options, "/ip4/127.0.0.1/udp/0/webrtc-direct")


def pings(options):
    """`swift-peer ping` of each peer: the same dialer, three listeners."""
    listen = ["--listen", "/ip4/127.0.0.1/tcp/0"]
    listeners = {
        "swift-peer": [options.program, "bot", "--json", *QUIET, *listen],
        "go-libp2p 0.32 (p2pd)": [sys.executable, os.path.join(PEERS, "p2pd_peer.py"), "--p2pd", options.p2pd, *listen],
        "py-libp2p 0.8.1": [sys.executable, os.path.join(PEERS, "py_chat_peer.py"), "--no-webrtc", *listen],
    }
    found = {}
    for _ in range(options.rounds):
        for name, argv in listeners.items():
            with Program(argv) as listening:
                out = subprocess.run([options.program, "ping", listening.address, "--count", "5"],
                                     capture_output=True, text=True, timeout=120, env=ENVIRONMENT).stdout
            times = [float(x) for x in re.findall(r"([\d.]+) ?ms\s*$", out, re.M)]
            if times:
                found.setdefault(name, []).append(1000 * statistics.median(times))
    print("\n| `swift-peer ping` of | median RTT µs |\n|---|---|")
    for name in listeners:
        print(f"| {name} | {spread(found[name], 0) if name in found else '–'} |")


def idle(options):
    """Memory and CPU of nodes that have nothing to do: without and with one connection."""
    listen = ["--listen", "/ip4/127.0.0.1/tcp/0"]
    alone, connected, busy = [], [], []
    python = []
    for _ in range(options.rounds):
        with Program([options.program, "bot", "--json", *QUIET, *listen]) as first:
            time.sleep(3)
            alone.append(resident(first.child.pid))
            with Program([options.program, "bot", "--json", *QUIET, *listen, "--connect", first.address]):
                time.sleep(3)
                connected.append(resident(first.child.pid))
                before = cpu(first.child.pid)
                time.sleep(5)
                busy.append((cpu(first.child.pid) - before) / 5 * 1000)
        with Program([sys.executable, os.path.join(PEERS, "py_chat_peer.py"), "--no-webrtc", *listen]) as other:
            time.sleep(2)
            python.append(resident(other.child.pid))
    print("\n| idle | RSS MB | CPU ms/s |\n|---|---|---|")
    print(f"| swift-peer bot, no connection | {spread(alone)} | |")
    print(f"| swift-peer bot, one connection | {spread(connected)} | {spread(busy, 2)} |")
    print(f"| py-libp2p 0.8.1, no connection | {spread(python)} | |")


LOOPBACK = ["--listen", "/ip4/127.0.0.1/tcp/0"]


def our_relay(options, *flags):
    return [options.program, "relay", "--json", *QUIET, *LOOPBACK, *flags]


def relay(options):
    """A relay between the same two peers, ours and go's; the memory of ours; the time to a direct path."""
    through_relays(options)
    relay_memory(options)
    direct_paths(options)


def go_relay(options):
    """The go daemon as a relay of 4 GiB and 30 minutes. It starts a second one, of 128 KiB and 2 minutes, at the same
    moment, and which of them answers is chance: it is started until it is the large one."""
    argv = [sys.executable, os.path.join(PEERS, "p2pd_peer.py"), "--p2pd", options.p2pd, *LOOPBACK,
            "--daemon-arg=-relayService", "--daemon-arg=-forceReachabilityPublic"]
    for _ in range(20):
        relay = Program(argv)
        probe = Bot(options, "--listen", relay.address + "/p2p-circuit")
        reserved, _ = probe.until("relay", state="reserved")
        probe.end()
        if reserved["limit-bytes"] > 1 << 30:
            return relay
        relay.__exit__()
    raise RuntimeError("go's relay with the large limits never answered")


def through_relays(options):
    ours = our_relay(options, "--relay-circuit-time", "0", "--relay-circuit-bytes", "0")
    relays = {"no relay": None, "swift-peer relay": lambda: Program(ours),
              "go-libp2p 0.32 (p2pd)": lambda: go_relay(options)}
    columns = [("64 KiB writes MB/s", "tput64k", 0, 1), ("1 KiB k writes/s", "tput1k msg_per_s", 1, 1000),
               ("64 B k writes/s", "tput64 msg_per_s", 1, 1000), ("64 B RTT p50 µs", "rtt64_p50_us", 0, 1),
               ("p99 µs", "rtt64_p50_us p99", 0, 1), ("dial → first byte ms", "setup_ms", 1, 1),
               ("relay CPU s", "cpu", 2, 1), ("relay RSS MB", "rss", 1, 1)]
    found = {}
    for round in range(options.rounds):
        for name, start in relays.items():
            def run(*place):
                with Program([options.bench, "serve", "/ip4/127.0.0.1/tcp/0", *place]) as server:
                    return subprocess.run([options.bench, "client", server.address], capture_output=True, text=True,
                                          timeout=300, env=ENVIRONMENT)
            if start:
                with start() as between:
                    before = sum(cpu(pid) for pid in family(between.child.pid))
                    out = run(between.address)
                    pids = family(between.child.pid)
                    found.setdefault((name, "cpu"), []).append(sum(cpu(pid) for pid in pids) - before)
                    found.setdefault((name, "rss"), []).append(resident(pids[-1]))
            else:
                out = run()
            for line in out.stdout.splitlines():
                if line.startswith("R\t"):
                    _, key, value, _, details = line.split("\t")
                    found.setdefault((name, key), []).append(float(value))
                    for what, number in (d.split("=") for d in details.split() if "=" in d):
                        found.setdefault((name, key + " " + what), []).append(float(number))
            print(f"round {round + 1} {name}: exit {out.returncode} {out.stderr[-200:]}", file=sys.stderr)
    print("\n| | " + " | ".join(title for title, *_ in columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for name in relays:
        cells = [spread([v / scale for v in found[name, key]], digits) if (name, key) in found else "–"
                 for _, key, digits, scale in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    ours, theirs = list(relays)[1:]
    ratios = [statistics.median(a / b for a, b in zip(found[ours, key], found[theirs, key]))
              if (ours, key) in found and (theirs, key) in found else float("nan") for _, key, *_ in columns]
    print("| ours / go's, median of the rounds | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")


def relay_memory(options, count=1000):
    raised = ["--relay-reservations", str(2 * count), "--relay-reservations-per-ip", str(2 * count),
              "--relay-circuit-time", "0", "--relay-circuit-bytes", "0"]
    steps = {}
    for _ in range(min(options.rounds, 3)):
        with Program(our_relay(options, *raised)) as between:
            time.sleep(2)
            sizes = [("idle", resident(between.child.pid))]
            crowd = subprocess.Popen([options.bench, "crowd", between.address, str(count)], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
            for line in crowd.stdout:
                if line.startswith("STEP "):
                    time.sleep(3)
                    sizes.append((line.split()[1], resident(between.child.pid)))
                    crowd.stdin.write("\n")
                    crowd.stdin.flush()
            crowd.wait(60)
            for (name, size), (_, before) in zip(sizes[1:], sizes):
                steps.setdefault(name, []).append((size, (size - before) * 1024 / count))
    print(f"\n| {count} of each, one after the other | relay RSS MB | kB for each |\n|---|---|---|")
    for name, figures in steps.items():
        print(f"| {name} | {spread([size for size, _ in figures])} | {spread([each for _, each in figures], 1)} |")


class Bot:
    """Our bot, read line by line, and when each line came."""

    def __init__(self, options, *flags):
        self.child = subprocess.Popen([options.program, "bot", "--json", *QUIET, *LOOPBACK, *flags],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      text=True, env=ENVIRONMENT)

    def until(self, event, **fields):
        for line in self.child.stdout:
            found = json.loads(line)
            if found["event"] == event and all(found.get(key) == value for key, value in fields.items()):
                return found, time.perf_counter()
        raise RuntimeError(f"no {event} {fields}")

    def end(self):
        self.child.kill()
        self.child.wait()


def direct_paths(options, rounds=20):
    """Real processes on the loopback: from the wish to connect to the relayed connection, and on to the direct one."""
    relayed, opened, taken = [], [], []
    with Program(our_relay(options)) as between:
        listener = Bot(options, "--listen", between.address + "/p2p-circuit")
        ready, _ = listener.until("ready")
        listener.until("relay", state="reserved")
        address = f"{between.address}/p2p-circuit/webrtc/p2p/{ready['peer']}"
        for _ in range(rounds):
            dialer = Bot(options)
            dialer.until("ready")
            begin = time.perf_counter()
            dialer.child.stdin.write(json.dumps({"connect": address}) + "\n")
            dialer.child.stdin.flush()
            _, relay_at = dialer.until("connection", state="open", transport="relay")
            _, direct_at = dialer.until("connection", state="open", transport="webrtc")
            _, path_at = dialer.until("path", to="webrtc")
            relayed.append(1000 * (relay_at - begin))
            opened.append(1000 * (direct_at - relay_at))
            taken.append(1000 * (path_at - relay_at))
            dialer.end()
        listener.end()
    print(f"\n| {rounds} rounds | p50 ms | p95 ms |\n|---|---|---|")
    for name, values in (("`connect` → relayed connection open", relayed), ("→ direct connection open", opened),
                         ("→ `path` event, after its second of proof", taken)):
        print(f"| {name} | {statistics.median(values):.0f} | {percentile(values, 0.95):.0f} |")


def first_paint(argv, reps):
    first, drawn, memory, started, idle_cpu = [], [], [], [], []
    for rep in range(reps + 1):
        begin = time.perf_counter()
        pid, fd = pty.fork()
        if pid == 0:
            os.execvpe(argv[0], argv, ENVIRONMENT)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        end, a, b = begin + 2.5, None, None
        while (left := end - time.perf_counter()) > 0:
            if select.select([fd], [], [], min(left, 0.25))[0]:
                if not os.read(fd, 65536):
                    break
                now = time.perf_counter()
                a = a or now
                if b is None or now - b < 0.15:
                    b = now  # the first burst ends at the first gap of 150 ms
        start_cpu = cpu(pid)
        time.sleep(3)
        idle_now = (cpu(pid) - start_cpu) / 3 * 1000
        size = resident(pid)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
        if rep and a:  # the first warms the page cache
            first.append(1000 * (a - begin))
            drawn.append(1000 * (b - begin))
            memory.append(size)
            started.append(1000 * start_cpu)
            idle_cpu.append(idle_now)
    return first, drawn, memory, started, idle_cpu


def screens(options):
    home = tempfile.mkdtemp()
    apps = {"swift-peer": [options.program, "chat", *QUIET, "--listen", "/ip4/127.0.0.1/tcp/0"]}
    if shutil.which("irssi"):
        apps["irssi"] = ["irssi", "--home", home]
    if shutil.which("weechat"):
        apps["WeeChat"] = ["weechat", "-d", home]
    print("\n| 120×40 terminal | first byte ms | drawn ms | RSS MB | CPU to start ms | idle CPU ms/s |\n" + "|---" * 6 + "|")
    for name, argv in apps.items():
        first, drawn, memory, started, idle_cpu = first_paint(argv, options.rounds)
        cells = [spread(first), spread(drawn), spread(memory), spread(started, 0), spread(idle_cpu, 2)]
        print(f"| {name} | " + " | ".join(cells) + " |")
    shutil.rmtree(home, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--p2pd", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("streams", "direct", "relay", "pings", "idle", "screens"))
    options = parser.parse_args()
    for measure in (streams, direct, relay, pings, idle, screens):
        if options.only in (None, measure.__name__):
            measure(options)


if __name__ == "__main__":
    main()
