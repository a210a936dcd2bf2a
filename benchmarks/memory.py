"""What a server takes before anybody has asked, and after 64 streams: memory, start, idle time.

    python -m benchmarks.memory [--rounds 3] [--root DIR ...] [--json FILE]

Each round starts a fresh server for each contestant: `shakespeare` alone and all models of the
store, of this program and of the checkouts that `--root` names (another commit, say), in turn.
Ready is when GET /health/ready answers 200. Memory is the kernel's: RSS counts pages of files
that other processes map as well, PSS its share of them, USS only its own.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load import Ask, measure
from benchmarks.machine import describe_machine, headline
from service.load.recorder import Timing

Figures = dict[str, float]
_KINDS = {"shakespeare": ["--models", "shakespeare"], "all models": []}
_START_TIMEOUT_S = 60
_STREAMS = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    options = _options(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    rounds: dict[str, list[Figures]] = {}
    for _ in range(options.rounds):
        for root in (Path.cwd(), *options.root):
            for kind, words in _KINDS.items():
                name = f"{root.resolve().name}: {kind}"
                rounds.setdefault(name, []).append(_measured(root, words, options))
    medians = {
        name: {key: statistics.median(each[key] for each in found) for key in found[0]}
        for name, found in rounds.items()
    }
    for name, figures in medians.items():
        print(f"{name}\n  " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    if options.json:
        report = {"machine": machine, "num_rounds": options.rounds, "rows": medians}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _measured(root: Path, words: list[str], options: argparse.Namespace) -> Figures:
    """The figures of one fresh server."""
    port = options.port or _free_port()
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port)]
    command += ["--session-store", "memory://", "--log-level", "warning", *words]
    environment = {**os.environ, "PYTHONPATH": "."}
    started_s = time.perf_counter()
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(process, port)
        found: Figures = {"ready s": time.perf_counter() - started_s}
        found["ready CPU s"] = _cpu_s(process.pid)
        found |= {f"start {key} MB": value for key, value in _memory_mb(process.pid).items()}
        before_s = _cpu_s(process.pid)
        time.sleep(options.idle_s)
        found["idle % of a core"] = 100 * (_cpu_s(process.pid) - before_s) / options.idle_s
        before_s = _cpu_s(process.pid)
        timing = Timing(0, options.seconds)
        load = asyncio.run(measure(port, _STREAMS, Ask(), timing))
        found["tokens/CPU s"] = load.num_tokens / (_cpu_s(process.pid) - before_s)
        after = _memory_mb(process.pid)
        return found | {f"{_STREAMS} streams {key} MB": value for key, value in after.items()}
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    raise RuntimeError(f"the server is not ready after {_START_TIMEOUT_S} s")


def _memory_mb(pid: int) -> Figures:
    """RSS, PSS and USS of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    kb = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
    own = kb["Private_Clean:"] + kb["Private_Dirty:"]
    sizes = {"RSS": kb["Rss:"], "PSS": kb["Pss:"], "USS": own}
    return {name: size * 1024 / 1e6 for name, size in sizes.items()}


def _cpu_s(pid: int) -> float:
    """Processor time of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--root", type=Path, nargs="*", default=[], help="checkouts beside this")
    parser.add_argument("--seconds", type=float, default=10.0, help="of 64 streams; default 10")
    parser.add_argument("--idle-s", type=float, default=20.0, help="of idling; default 20")
    parser.add_argument("--port", type=int, help="default: one that is free")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
