"""Several texts of one prompt: `n` beside requests of their own, and beside a single text.

    python -m benchmarks.several [--rounds 15] [--texts 8] [--prompt 2000] [--tokens 100]

Asks a server of its own with the bundled model, once with the prefix cache and once without. Each
time is that of all whole answers, with a prompt that no cache knows; all kinds of asking take
turns, and each ratio is the median of those of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants import Server
from benchmarks.machine import describe_machine, headline

_WORDS = ("the", "and", "what", "of", "to", "a", "my", "in", "you", "is", "that", "not", "with")


class Asked:
    """Ways to ask for so many texts, each with a new prompt.

    Args:
        client: Of the server.
        num_texts: How many.
        num_characters: Of the prompt.
        num_tokens: Of each text.
    """

    def __init__(
        self, client: httpx.Client, num_texts: int, num_characters: int, num_tokens: int
    ) -> None:
        self._client = client
        self._num_texts = num_texts
        self._num_characters = num_characters
        self._num_tokens = num_tokens
        self._draw = random.Random(7)
        self._pool = ThreadPoolExecutor(num_texts)

    def one(self) -> None:
        """A single text."""
        self._post(self._body())

    def several(self) -> None:
        """All by one request."""
        answer = self._post(self._body() | {"n": self._num_texts})
        if len(answer["texts"]) != self._num_texts:
            raise AssertionError(answer)

    def at_once(self) -> None:
        """A request for each text, all at once."""
        body = self._body()
        list(self._pool.map(self._post, [body | {"seed": n} for n in range(self._num_texts)]))

    def in_turn(self) -> None:
        """A request for each text, one after the other."""
        body = self._body()
        for n in range(self._num_texts):
            self._post(body | {"seed": n})

    def _body(self) -> dict[str, Any]:
        words: list[str] = []
        while sum(len(word) + 1 for word in words) < self._num_characters:
            words.append(self._draw.choice(_WORDS))
        prompt = " ".join(words)[: self._num_characters]
        return {"prompt": prompt, "max_tokens": self._num_tokens, "seed": 0}

    def _post(self, body: dict[str, Any]) -> Any:
        return self._client.post("/generate", json=body).raise_for_status().json()


def _time_ms(work: Callable[[], None]) -> float:
    started_s = time.perf_counter()
    work()
    return (time.perf_counter() - started_s) * 1000


def measure(options: argparse.Namespace, cache: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each way to ask, a figure for each round."""
    command = ["service.cli", "serve", "--models", "shakespeare", "--session-store", "memory://"]
    server = Server("several", [*command, "--log-level", "warning", *cache])
    with (
        server.running(),
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client,
    ):
        asked = Asked(client, options.texts, options.prompt, options.tokens)
        ways = {
            "one text": asked.one,
            "n": asked.several,
            "at once": asked.at_once,
            "in turn": asked.in_turn,
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():  # connections, and lengths of bursts
            way()
        for _ in range(options.rounds):
            for name, way in ways.items():
                found[name].append(_time_ms(way))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="default 15")
    parser.add_argument("--texts", type=int, default=8, metavar="N", help="default 8")
    parser.add_argument("--prompt", type=int, default=2_000, metavar="N", help="characters; 2000")
    parser.add_argument("--tokens", type=int, default=100, metavar="N", help="of a text; 100")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    report: dict[str, Any] = {"machine": machine}
    for title, cache in (
        ("with the prefix cache", []),
        ("without it", ["--prefix-cache-bytes", "0"]),
    ):
        found = measure(options, cache)
        medians = {name: statistics.median(times) for name, times in found.items()}
        ratios = {
            name: statistics.median(
                other / several for other, several in zip(times, found["n"], strict=True)
            )
            for name, times in found.items()
            if name != "n"
        }
        report[title] = {"ms": medians, "times of n": ratios}
        shown = ", ".join(f"{name} {value:.0f} ms" for name, value in medians.items())
        relative = ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
        print(f"{title}: {shown}; as a multiple of n: {relative}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
