#!/usr/bin/env python3
"""Measures one data channel by the workload dcb1, the rounds of all programs interleaved: see `make bench-webrtc`.

Every program but cstack is two processes: one `--serve 0` that prints `LISTEN <port>`, one that takes `--port`, dials
and prints lines `R<TAB>name<TAB>value<TAB>unit<TAB>details`. cstack is a plain C program on the two libraries that carry
ours, without ICE and channels: what they can do on this machine.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys

FULL = ["--mb16k", "256", "--mb1k", "64", "--msgs64", "300000"]
IDLE = ["--idle", "100"]
SLOW = ["--mb16k", "64", "--mb1k", "24", "--msgs64", "60000"]


def pair(server, client, timeout=240):
    """Starts the server, runs the client against it; what the client printed."""
    listener = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        while not (line := listener.stdout.readline()).startswith("LISTEN"):
            if not line:
                raise RuntimeError("the server ended")
        port = line.split()[1]
        return subprocess.run(client + ["--port", port], capture_output=True, text=True, timeout=timeout).stdout
    finally:
        listener.stdin.close()
        try:
            listener.wait(1)
        except subprocess.TimeoutExpired:
            listener.kill()
            listener.wait()


def alone(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=240).stdout


def programs(options):
    ours = [options.ours]
    result = {
        "swift-peer": lambda: pair(ours + ["--serve", "0"], ours + FULL) + alone(ours + IDLE),
        "swift-peer, no offload": lambda: pair(
            ours + ["--no-offload", "--serve", "0"], ours + ["--no-offload"] + FULL),
    }
    if options.libdatachannel:
        command = [options.libdatachannel]
        result["libdatachannel"] = lambda: pair(command + ["--serve", "0"], command + FULL) + alone(command + IDLE)
    if options.pion:
        slow = [options.pion]
        result["pion v3"] = lambda: pair(slow + ["--serve", "0"], slow + SLOW)
    if options.cstack:
        result["C ceiling"] = lambda: alone([options.cstack, "pair"])
        result["C ceiling, no offload"] = lambda: alone([options.cstack, "pair", "-batch", "0", "-hwcrc", "0"])
    return result


def parse(text):
    """All numbers of a run, those of the details as `name.detail`."""
    result = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if fields[0] != "R" or len(fields) < 4:
            continue
        result[fields[1]] = float(fields[2])
        for key, value in re.findall(r"(\w+)=([\d.]+)", " ".join(fields[4:])):
            result[f"{fields[1]}.{key}"] = float(value)
    return result


COLUMNS = [
    ("16 KiB MB/s", "tput16k", 1, 0),
    ("CPU s/GiB", "tput16k.cpu_s_per_GiB", 1, 2),
    ("1 KiB k msg/s", "tput1k.msg_per_s", 1e-3, 0),
    ("64 B k msg/s", "tput64.msg_per_s", 1e-3, 0),
    ("CPU µs", "tput64.cpu_us_per_msg", 1, 2),
    ("RTT p50 µs", "rtt64_p50_us", 1, 0),
    ("p99 µs", "rtt64_p50_us.p99", 1, 0),
    ("setup ms", "setup_ms", 1, 1),
    ("slowest ms", "setup_ms.max", 1, 1),
    ("idle MB", "rss_idle_MB", 1, 1),
    ("kB each", "rss_per_connection_kB", 1, 0),
]


def table(runs):
    print("| | " + " | ".join(title for title, *_ in COLUMNS) + " |")
    print("|" + "---|" * (len(COLUMNS) + 1))
    for name, results in runs.items():
        cells = []
        for _, key, factor, digits in COLUMNS:
            values = sorted(result[key] * factor for result in results if key in result)
            if not values:
                cells.append("–")
                continue
            cells.append(f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f}–{values[-1]:.{digits}f})")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--libdatachannel")
    parser.add_argument("--pion")
    parser.add_argument("--cstack")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="append every run to this file")
    options = parser.parse_args()
    runs = {name: [] for name in programs(options)}
    for turn in range(options.rounds):
        for name, run in programs(options).items():
            try:
                result = parse(run())
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"round {turn} {name}: {error}", file=sys.stderr)
                continue
            runs[name].append(result)
            if options.json:
                with open(options.json, "a") as file:
                    file.write(json.dumps({"name": name, "result": result}) + "\n")
            print(f"round {turn} {name}: {result.get('tput16k', 0):.0f} MB/s", file=sys.stderr, flush=True)
    table(runs)


if __name__ == "__main__":
    main()
