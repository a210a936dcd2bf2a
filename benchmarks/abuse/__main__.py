"""What can a hostile or unlucky neighbour do to everybody else?

    python -m benchmarks.abuse [--only NAME,...] [--seconds 5] [--json FILE]

Attacks a server that it starts itself, anew for each case. Meanwhile a process of its own asks for
liveness every 20 ms and for five tokens every 200 ms, as another client, and looks at the server's
memory. A line each: times of the two, how many of them failed, most memory, errors that were not of
the one shape and answers without a request id (of all that attackers and neighbour saw), tracebacks
in the log. Exit status 1 if a case is not as it should be: liveness within 50 ms (p99) and 250 ms
(max), the five tokens within a second, 1 GB, and none of the others.

The first case attacks nothing: it says what the machine itself costs. On a busy one read all others
beside it.

With --url it attacks a server on this machine that runs already, and leaves out the cases that need
other settings or end it. Nothing leaves this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.abuse import figures
from benchmarks.abuse.cases import ALL
from benchmarks.abuse.scene import Case, Scene
from benchmarks.abuse.sightings import Sightings
from benchmarks.abuse.victim import Victim, running
from benchmarks.machine import describe_machine, headline


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack, print the table; exit with 1 if something was not as it should be."""
    options = _options(arguments)
    if options.list:
        for case in ALL:
            print(f"{case.name:24}{case.attack.__doc__}")
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    machine = describe_machine()
    load = [round(figure, 1) for figure in os.getloadavg()]
    print(f"{headline(machine)}\nload before: {load}\n\n{figures.header()}", flush=True)
    found: dict[str, Any] = {}
    for case in options.only or ALL:
        if options.url and case.own_server:
            print(f"{case.name:24}left out: it needs a server of its own", flush=True)
            continue
        found[case.name] = _run(case, options)
        print(figures.line(case.name, found[case.name]), flush=True)
    wrong = {name: figure["wrong"] for name, figure in found.items() if figure["wrong"]}
    print()
    for name, what in wrong.items():
        print(f"{name}: {'; '.join(what)}")
    print(f"{len(found) - len(wrong)} of {len(found)} cases are as they should be")
    if options.json:
        report = {
            "machine": machine,
            "load_before": load,
            "seconds": options.seconds,
            "cases": found,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


def _run(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Attack a server in this way; returns all figures and what is wrong with them."""
    with _victim(case, options) as victim:
        scene = Scene(victim, options.seconds, options.turns, options.minutes)
        if case.prepare:
            _act(case.prepare(scene))
        cpu_s, own_cpu_s, started_s = victim.cpu_s(), time.process_time(), time.monotonic()
        with _watching(victim) as found:
            _act(case.attack(scene))
        took_s = time.monotonic() - started_s
        after_s = victim.cpu_s() if victim.is_alive else None
        seen = Sightings()
        for side in (vars(scene.seen), found["seen"]):
            seen.merge(side)
        probe = found["seen_by_probe"]
        seen.outside += probe["outside"]
        seen.without_id += probe["without_id"]
        found |= {
            "took_s": round(took_s, 1),
            "server_cores": round((after_s - cpu_s) / took_s, 2) if after_s and cpu_s else None,
            "attacker_cores": round((time.process_time() - own_cpu_s) / took_s, 2),
            "alive": victim.is_alive,
            "tracebacks": victim.num_tracebacks(),
            "seen": vars(seen),
            "figures": scene.figures,
            "faults": {
                what: {"times": times, "example": scene.examples[what]}
                for what, times in scene.faults.items()
            },
        }
        found["wrong"] = figures.faults(case, found)
        if options.logs and (log := victim.log()) is not None:
            (options.logs / f"{case.name}.log").write_bytes(log)
        return found


def _act(attack: Any) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(attack)


@contextlib.contextmanager
def _victim(case: Case, options: argparse.Namespace) -> Iterator[Victim]:
    if options.url:
        url = urlsplit(options.url)
        yield Victim(url.hostname, url.port or 80, pid=options.pid)
        return
    store = ("--model-store", str(options.model_store))
    descriptors = options.descriptors or case.descriptors
    with running(
        (*store, *case.options, *options.server_options),
        module=case.module,
        descriptors=descriptors,
        unread_log=case.unread_log,
    ) as victim:
        yield victim


@contextlib.contextmanager
def _watching(victim: Victim) -> Iterator[dict[str, Any]]:
    """What the watcher found is in the dict afterwards."""
    command = [sys.executable, "-m", "benchmarks.abuse.watch", victim.host, str(victim.port)]
    command += ["--pid", str(victim.pid)] if victim.pid else []
    found: dict[str, Any] = {}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as watcher:
        try:
            assert watcher.stdin is not None
            assert watcher.stdout is not None
            watcher.stdout.readline()
            yield found
            watcher.stdin.close()
            found |= json.loads(watcher.stdout.read())
        finally:
            watcher.kill()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.abuse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="name the cases, and end")
    parser.add_argument("--only", type=_cases, metavar="NAME,...", help="these cases only")
    parser.add_argument("--url", type=_of_this_machine, help="attack a server that runs already")
    parser.add_argument("--pid", type=int, help="of that server, to look at its memory")
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument(
        "--seconds", type=float, default=5.0, metavar="S", help="of a case (default 5)"
    )
    parser.add_argument(
        "--minutes", type=float, default=0.5, metavar="M", help="of the mix (default 0.5)"
    )
    parser.add_argument(
        "--turns", type=int, default=2000, metavar="N", help="of sessions (default 2000)"
    )
    parser.add_argument(
        "--descriptors", type=int, metavar="N", help="most files that servers may open"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep the servers' logs here")
    parser.add_argument(
        "server_options", nargs="*", metavar="-- OPTION", help="more options of the servers"
    )
    return parser.parse_args(arguments)


def _cases(text: str) -> list[Case]:
    by_name = {case.name: case for case in ALL}
    if unknown := [name for name in text.split(",") if name not in by_name]:
        raise argparse.ArgumentTypeError(f"no such case: {', '.join(unknown)}; see --list")
    return [by_name[name] for name in text.split(",")]


def _of_this_machine(url: str) -> str:
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return url
    raise argparse.ArgumentTypeError("only a server on this machine is attacked")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
