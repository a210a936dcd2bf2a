"""What the other clients of an attacked server notice, from a process of its own.

    python -m benchmarks.abuse.watch HOST PORT [--pid PID]

Asks for liveness every 20 ms and for five tokens every 200 ms, each from an address of its own and
on a fresh connection, and looks at the server's memory. Says "ready" when both have had their first
answer, and its figures as JSON when its standard input ends. Only the standard library: it has to
start at once, and its own work must not be what is measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.abuse.sightings import Sightings

PROBE, NEIGHBOUR = "127.0.0.9", "127.0.0.2"
"""Their addresses. Attackers have others."""

_TIMEOUT_S = 15.0
_PATIENCE_S = 3.0
_FIVE_TOKENS = json.dumps({"prompt": "ROMEO:", "max_tokens": 5}).encode()


class Visitor(threading.Thread):
    """Asks the same again and again.

    Args:
        address: Of the server.
        source: Own address.
        every_s: From one question to the next; late ones are not made up for.
        request: Method, path and body.
    """

    def __init__(
        self,
        address: tuple[str, int],
        source: str,
        every_s: float,
        request: tuple[str, str, bytes | None],
    ) -> None:
        super().__init__(daemon=True)
        self.seen = Sightings()
        self.times_s: list[float] = []
        self.failures: list[str] = []
        self.answered = threading.Event()
        self._address, self._source, self._every_s = address, source, every_s
        self._request = request
        self._stopping = threading.Event()
        self._asked_s: float | None = None

    def run(self) -> None:
        """Ask until `stop`."""
        while not self._stopping.is_set():
            self._asked_s = time.perf_counter()
            failure = self._ask()
            took_s = time.perf_counter() - self._asked_s
            self._asked_s = None
            self._note(took_s, failure)
            self.answered.set()
            self._stopping.wait(max(0.0, self._every_s - took_s))

    def stop(self) -> None:
        """Wait for the last answer for some seconds; what it took until then counts."""
        self._stopping.set()
        self.join(_PATIENCE_S)
        if (asked_s := self._asked_s) is not None:
            self._note(time.perf_counter() - asked_s, "still no answer at the end")

    def _note(self, took_s: float, failure: str | None) -> None:
        self.times_s.append(took_s)
        if failure:
            self.failures.append(failure)

    def _ask(self) -> str | None:
        method, path, body = self._request
        headers = {"content-type": "application/json"} if body else {}
        try:
            connection = http.client.HTTPConnection(
                *self._address, timeout=_TIMEOUT_S, source_address=(self._source, 0)
            )
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            late = isinstance(error, socket.timeout)
            self.seen.note_end("timeout" if late else "closed")
            return f"{type(error).__name__}: {error}"
        names = {name.lower(): value for name, value in response.getheaders()}
        self.seen.note(response.status, names, content)
        return None if response.status == 200 else f"{response.status} {content[:100]!r}"


class Memory(threading.Thread):
    """Looks at a process's resident memory.

    Attributes:
        before: Bytes at the first look.
        most: Most bytes so far.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.before = self.most = self._look()

    def run(self) -> None:
        """Look until the process is gone."""
        while True:
            try:
                self.most = max(self.most, self._look())
            except (OSError, ValueError):
                return
            time.sleep(0.02)

    def _look(self) -> int:
        pages = int(Path(f"/proc/{self._pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def with_omitted(times_s: list[float], every_s: float) -> list[float]:
    """The same with those that were not asked while one took long: they had to wait as well."""
    omitted = [
        took_s - n * every_s for took_s in times_s for n in range(1, int(took_s / every_s) + 1)
    ]
    return times_s + omitted


def milliseconds(times_s: list[float]) -> dict[str, float]:
    """Their p50, p99 and maximum; nothing of none."""
    if not times_s:
        return {}
    cuts = statistics.quantiles([*times_s, times_s[-1]], n=100, method="inclusive")
    figures = {"p50": cuts[49], "p99": cuts[98], "max": max(times_s)}
    return {name: round(time_s * 1000, 1) for name, time_s in figures.items()}


def main() -> None:
    """Watch until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--pid", type=int)
    options = parser.parse_args()
    address = (options.host, options.port)
    every_s = 0.02
    probe = Visitor(address, PROBE, every_s, ("GET", "/health/live", None))
    neighbour = Visitor(address, NEIGHBOUR, 0.2, ("POST", "/generate", _FIVE_TOKENS))
    memory = Memory(options.pid) if options.pid else None
    threads: list[threading.Thread] = [probe, neighbour, *([memory] if memory else [])]
    for thread in threads:
        thread.start()
    for visitor in (probe, neighbour):
        visitor.answered.wait()
    print("ready", flush=True)
    sys.stdin.read()
    for visitor in (probe, neighbour):
        visitor.stop()
    figures: dict[str, Any] = {
        "probe_ms": milliseconds(with_omitted(probe.times_s, every_s)),
        "neighbour_ms": milliseconds(neighbour.times_s),
        "probes": len(probe.times_s),
        "questions": len(neighbour.times_s),
        "probe_failures": probe.failures,
        "neighbour_failures": neighbour.failures,
        "seen": vars(neighbour.seen),
        "seen_by_probe": vars(probe.seen),
        "resident_bytes": {"before": memory.before, "most": memory.most} if memory else None,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
