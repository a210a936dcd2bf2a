"""How long a look inside of a model takes while texts are written, and what it does to these.

    python -m benchmarks.inspecting http://localhost:8000 [streams] [characters]

Prints the time of `/inspect` alone and beside the streams, the rate of the streams without and with
it, and whether each of the texts is the one that is written without it.
"""

from __future__ import annotations

import asyncio
import sys
import time

import httpx

_TOKENS = 1500
_TEXT = "ROMEO:\nO, she doth teach the torches to burn bright!\n"
_WANTED = [{"name": "layer1.c", "units": list(range(16))}]


async def main(url: str, num_streams: int, num_characters: int) -> None:
    """Measure, and print."""
    text = (_TEXT * (num_characters // len(_TEXT) + 1))[:num_characters]
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits()) as client:
        await _look(client, text)  # which loads it
        print(f"{num_characters} characters alone: {await _look(client, text):.2f} s")
        undisturbed, seconds = await _texts(client, num_streams)
        print(f"{num_streams} streams alone: {num_streams * _TOKENS / seconds:,.0f} tokens/s")
        writing = asyncio.ensure_future(_texts(client, num_streams))
        await asyncio.sleep(seconds / 4)
        times = []
        while not writing.done():
            times.append(await _look(client, text))
        texts, seconds = await writing
        print(f"beside the streams: {min(times):.2f} to {max(times):.2f} s, {len(times)} times")
        print(f"the streams meanwhile: {num_streams * _TOKENS / seconds:,.0f} tokens/s")
        same = sum(one == other for one, other in zip(texts, undisturbed, strict=True))
        print(f"texts that are the same: {same} of {num_streams}")


async def _look(client: httpx.AsyncClient, text: str) -> float:
    start = time.perf_counter()
    answer = await client.post("/inspect", json={"text": text, "activations": _WANTED})
    answer.raise_for_status()
    return time.perf_counter() - start


async def _texts(client: httpx.AsyncClient, number: int) -> tuple[list[str], float]:
    async def write(seed: int) -> str:
        body = {"prompt": "ROMEO:", "max_tokens": _TOKENS, "seed": seed}
        answer = await client.post("/generate", json=body)
        answer.raise_for_status()
        return str(answer.json()["text"])

    start = time.perf_counter()
    texts = await asyncio.gather(*(write(seed) for seed in range(number)))
    return texts, time.perf_counter() - start


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[2:]]
    asyncio.run(main(sys.argv[1], *numbers, *[64, 2000][len(numbers) :]))
