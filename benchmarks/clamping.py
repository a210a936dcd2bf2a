"""What a unit is for: the lines that a model writes while the unit is held, and while it is not.

    lstm-serve serve --max-clamps 8
    python -m benchmarks.clamping http://localhost:8000 shakespeare layer0.c.378 -3 0 3 6

Prints, for free texts and for each value, how many lines texts have and how long they are; the same
seeds for all. `--prompt` is what each text begins with.
"""

from __future__ import annotations

import argparse
import asyncio
from statistics import mean, median

import httpx


async def main(url: str, model: str, unit: str, values: list[float], prompt: str) -> None:
    """Write, and count."""
    name, _, number = unit.rpartition(".")
    async with httpx.AsyncClient(base_url=url, timeout=300) as client:
        for value in (None, *values):
            clamp = None if value is None else [{"name": name, "unit": int(number), "value": value}]
            asked = {"model": model, "prompt": prompt, "max_tokens": 400, "clamp": clamp}
            texts = await asyncio.gather(*(_text(client, {**asked, "seed": n}) for n in range(32)))
            held = "free" if value is None else f"{unit} held at {value:g}"
            print(f"{held}: {_lines(texts)}")
            print(f"    {texts[0][:110]!r}")


def _lines(texts: list[str]) -> str:
    """Of complete lines that are no speaker's name."""
    lines = [line for text in texts for line in text.split("\n")[:-1] if line and line[-1] != ":"]
    lengths = [len(line) for line in lines]
    begun_small = mean(line[0].islower() for line in lines)
    return (
        f"{len(lines) / len(texts):.1f} lines a text, of {mean(lengths):.1f} characters "
        f"(median {median(lengths):g}); {begun_small:.0%} begin with a small letter"
    )


async def _text(client: httpx.AsyncClient, body: dict[str, object]) -> str:
    answer = await client.post("/generate", json=body)
    answer.raise_for_status()
    return str(answer.json()["text"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("unit", help="of a state tensor, like layer0.c.378")
    parser.add_argument("values", type=float, nargs="+")
    parser.add_argument("--prompt", default="ROMEO:\n")
    given = parser.parse_args()
    asyncio.run(main(given.url, given.model, given.unit, given.values, given.prompt))
