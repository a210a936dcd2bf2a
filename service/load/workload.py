"""What requests ask for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_HEAD = 32
_STOCK = 1 << 16
_FEWEST_PROMPTS = 2**40
_SEED_BITS = 53


@dataclass(frozen=True)
class Workload:
    """What each request asks for, but for its prompt and its seed.

    Attributes:
        max_tokens: Most tokens to write.
        stream: As events, or at once.
        stream_every: Most tokens of an event; None leaves it to the server.
        model: `name` or `name@version`; None is the server's default.
        temperature: None is the model's own.
    """

    max_tokens: int = 256
    stream: bool = True
    stream_every: int | None = None
    model: str | None = None
    temperature: float | None = None

    def body(self, prompt: str, seed: int) -> dict[str, Any]:
        """Of POST /generate."""
        optional = {
            "stream_every": self.stream_every,
            "model": self.model,
            "temperature": self.temperature,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        fixed = {"prompt": prompt, "max_tokens": self.max_tokens, "seed": seed}
        return fixed | {"stream": self.stream} | given

    def encoded(self, prompt: str, seed: int) -> bytes:
        """The same, as it is sent."""
        return json.dumps(self.body(prompt, seed)).encode()

    def bodies(self, prompts: Iterator[str], draw: random.Random) -> Iterator[bytes]:
        """One for each prompt, each with a seed of its own."""
        for prompt in prompts:
            yield self.encoded(prompt, draw.getrandbits(_SEED_BITS))


def fresh_prompts(alphabet: str, length: int, draw: random.Random) -> Iterator[str]:
    """Random prompts without end, none of them twice and none that begins like an earlier one.

    Only the first characters are drawn for each: what follows is a piece of one long random text,
    since drawing thousands of characters for each request would take time from the measurement.

    Args:
        alphabet: Different characters.
        length: Of each, in characters.
        draw: They are random numbers from here.

    Raises:
        ValueError: There are too few prompts of this length for sending none twice.
    """
    if len(set(alphabet)) < 2 or len(set(alphabet)) ** length < _FEWEST_PROMPTS:
        raise ValueError(
            f"there are too few prompts of {length} characters for sending none twice; "
            "choose a longer one, or a fixed prompt"
        )
    return _fresh_prompts(alphabet, length, draw)


def _fresh_prompts(alphabet: str, length: int, draw: random.Random) -> Iterator[str]:
    head_length = min(length, _HEAD)
    tail_length = length - head_length
    stock = "".join(draw.choices(alphabet, k=max(_STOCK, tail_length))) if tail_length else ""
    sent: set[str] = set()
    while True:
        head = "".join(draw.choices(alphabet, k=head_length))
        if head in sent:
            continue
        sent.add(head)
        start = draw.randrange(len(stock) - tail_length + 1)
        yield head + stock[start : start + tail_length]
