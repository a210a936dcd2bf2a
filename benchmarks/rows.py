"""What a row makes cheap: going on, copies, going back, leaving and coming back.

    python -m benchmarks.rows [--rounds 5] [--json FILE]

Asks a server of its own with the bundled model, one request after the other. Going on from a
session of 1,000 and of 10,000 characters stands beside sending these characters again (other ones
each time, so that no cache knows them), both up to the first event of a stream and by a bare
socket: an HTTP library takes longer to begin a request than the server takes to go on.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from benchmarks.contestants import Server
from benchmarks.machine import describe_machine, headline
from service.load.target import Target

_LENGTHS = (1_000, 10_000)
_TIMES = 15
_WRITTEN = 16
_PATIENCE_S = 60.0
_LAST_CHUNK = b"0\r\n"
_WORDS = ("the", "and", "what", "of", "to", "a", "my", "in", "you", "is", "that", "not", "with")


def _text(length: int, draw: random.Random) -> str:
    words: list[str] = []
    while sum(len(word) + 1 for word in words) < length:
        words.append(draw.choice(_WORDS))
    return " ".join(words)[:length]


class Asked:
    """Requests to the server, each timed."""

    def __init__(self, client: httpx.Client, target: Target) -> None:
        self._client = client
        self._target = target
        self._draw = random.Random(7)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer."""
        return self._client.post(path, json=body).raise_for_status().json()

    def first_event_ms(self, body: Callable[[], dict[str, Any]]) -> float:
        """Until the first event of a stream; the median of some times."""
        times_s = []
        address = (self._target.host, self._target.port)
        with socket.create_connection(address, _PATIENCE_S) as wire, wire.makefile("rb") as answer:
            for _ in range(_TIMES):
                asked = {"stream": True, "max_tokens": _WRITTEN, **body()}
                request = self._target.request(json.dumps(asked).encode())
                started_s = time.perf_counter()
                wire.sendall(request)
                status = _line(answer)
                if b" 200 " not in status:
                    raise RuntimeError(f"a server answered {status.decode()!r}")
                while not _line(answer).startswith(b"data:"):
                    pass
                times_s.append(time.perf_counter() - started_s)
                while _line(answer) != _LAST_CHUNK:
                    pass  # to its end: a session has one turn at a time
                _line(answer)
        return statistics.median(times_s) * 1000

    def median_ms(self, work: Callable[[], Any]) -> float:
        """Of some times."""
        times_s = []
        for _ in range(_TIMES):
            started_s = time.perf_counter()
            work()
            times_s.append(time.perf_counter() - started_s)
        return statistics.median(times_s) * 1000

    def measure(self, length: int) -> dict[str, float]:
        """Medians in milliseconds, for a session of so many characters."""
        text = _text(length, self._draw)
        session = self.post("/sessions", {"seed": 7})["id"]
        path = f"/sessions/{session}"
        found = {
            "append": self.median_ms(lambda: self.post(f"{path}/append", {"text": text[:100]}))
        }
        session = self.post("/sessions", {"prompt": text, "seed": 7})["id"]
        path = f"/sessions/{session}"
        found["read again"] = self.first_event_ms(lambda: {"prompt": _text(length, self._draw)})
        found["go on"] = self.first_event_ms(lambda: {"session": session})
        found["fork"] = self.median_ms(lambda: self.post(f"{path}/fork", {}))
        found["fork at half"] = self.median_ms(
            lambda: self.post(f"{path}/fork", {"at": length // 2})
        )

        def write_and_rewind() -> float:
            self.post("/generate", {"session": session, "max_tokens": 20})
            started_s = time.perf_counter()
            self.post(f"{path}/rewind", {"characters": -20})
            return time.perf_counter() - started_s

        found["rewind 20"] = statistics.median(write_and_rewind() for _ in range(_TIMES)) * 1000
        capsule = self._client.get(f"{path}/capsule").raise_for_status().json()["capsule"]
        found["capsule out"] = self.median_ms(lambda: self._client.get(f"{path}/capsule"))
        found["capsule in"] = self.median_ms(
            lambda: self.post("/sessions/import", {"capsule": capsule})
        )
        return found


def _line(answer: BinaryIO) -> bytes:
    if not (line := answer.readline()):
        raise RuntimeError("the server has closed the connection")
    return line


def by_length(rounds: int) -> dict[str, Any]:
    """Medians in milliseconds by the number of characters, and how much sooner going on is."""
    found: dict[int, dict[str, list[float]]] = {length: {} for length in _LENGTHS}
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/sessions.sqlite3"
        command = ["service.cli", "serve", "--models", "shakespeare", "--session-store", store]
        command += ["--capsule-keys", f"one:{secrets.token_urlsafe(32)}", "--log-level", "warning"]
        server = Server("rows", command)
        with (
            server.running(),
            httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=_PATIENCE_S) as client,
        ):
            asked = Asked(client, Target("127.0.0.1", server.port))
            for _ in range(rounds):
                for length in _LENGTHS:
                    for name, value in asked.measure(length).items():
                        found[length].setdefault(name, []).append(value)
    report: dict[str, Any] = {}
    for length, figures in found.items():
        medians = {name: statistics.median(values) for name, values in figures.items()}
        ratio = statistics.median(
            again / on for again, on in zip(figures["read again"], figures["go on"], strict=True)
        )
        report[str(length)] = {**medians, "ratio": ratio}
        shown = ", ".join(f"{name} {value:.2f}" for name, value in medians.items())
        print(f"{length:,} characters: {shown} ms; going on is {ratio:.1f} times as fast")
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    report = {"machine": machine, **by_length(options.rounds)}
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
