"""Does a change leave every text as it was? Records what a running server answers, and compares.

    python -m benchmarks.texts record URL FILE      ask the requests below, write the answers
    python -m benchmarks.texts compare FILE FILE    exit status 1 if an answer differs

The texts of a seed are the same on one machine, whatever else runs; another processor may round
differently. So record before and after a change, on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

Body = dict[str, Any]

_LONG = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 40
_STORY = "ROMEO:\nWhat, shall this speech be spoke for our excuse? " * 4
_PENALTIES = {"repetition_penalty": 1.2, "presence_penalty": 0.4, "frequency_penalty": 0.2}

SINGLE: list[Body] = [
    {"prompt": "ROMEO:"},
    {"prompt": "ROMEO:", "seed": 2**63 - 1},
    {"prompt": "", "max_tokens": 100},
    {"prompt": "To be, or not to ", "temperature": 0},
    {"prompt": "JULIET:\n", "temperature": 0.7},
    {"prompt": "JULIET:\n", "temperature": 1.7, "max_tokens": 300},
    {"prompt": "O, ", "top_k": 5},
    {"prompt": "O, ", "top_k": 1000},
    {"prompt": "O, ", "top_p": 0.9},
    {"prompt": "O, ", "min_p": 0.05},
    {"prompt": "O, ", "top_k": 20, "top_p": 0.95, "min_p": 0.01, "temperature": 0.9},
    {"prompt": "the the the ", "repetition_penalty": 1.5},
    {"prompt": "the the the ", "presence_penalty": 1.5},
    {"prompt": "the the the ", "frequency_penalty": 0.7},
    {"prompt": "the the the ", **_PENALTIES, "temperature": 0},
    {"prompt": "the the the ", **_PENALTIES, "top_p": 0.8},
    {"prompt": "Once", "logprobs": 0, "max_tokens": 20},
    {"prompt": "Once", "logprobs": 3, "max_tokens": 20, "top_k": 4},
    {"prompt": "Once", "logprobs": 10, "max_tokens": 20, "temperature": 0},
    {"prompt": "KING:\n", "stop": ["\n\n"]},
    {"prompt": "KING:\n", "stop": ["the", "and", "\n"], "max_tokens": 400},
    {"prompt": "KING:\n", "stop": "e", "stream": True},
    {"prompt": "KING:\n", "stream": True},
    {"prompt": "KING:\n", "stream": True, "stream_every": 1, "max_tokens": 50, "logprobs": 2},
    {"prompt": "KING:\n", "stream": True, "stream_every": 5, "stop": ["the "]},
    {"prompt": _LONG},
    {"prompt": _LONG},
    {"prompt": _LONG + "And", "max_tokens": 60},
    {"prompt": _STORY + "Once"},
    {"prompt": _STORY + "Twice"},
    {"prompt": _STORY + "Once"},
    {"model": "names"},
    {"model": "names", "prompt": "Ma", "temperature": 0.5},
    {"model": "names@3", "prompt": "Zo", "logprobs": 2, "stream": True},
    {"model": "songci"},
    {"model": "songci", "prompt": "浣溪沙", "max_tokens": 400},
    {"model": "songci", "prompt": "浣溪沙", "top_k": 50, "top_p": 0.9, "stream": True},
    {"model": "songci", "prompt": "春", "min_p": 0.1, **_PENALTIES, "max_tokens": 100},
    {"model": "songci", "prompt": "春", "stop": ["。"], "logprobs": 3},
    {"model": "absent", "prompt": "x"},
    {"prompt": "x", "max_tokens": 0},
    {"prompt": "x", "temperature": 11},
    {"prompt": "x", "speed": 1},
    {"session": "s_absent"},
]
"""Asked one after the other; each has a seed of its own unless it names one."""

SESSIONS: list[tuple[Body, list[Body]]] = [
    ({"prompt": "First Citizen:\n", "seed": 3}, [{"max_tokens": 80}, {"max_tokens": 80}]),
    (
        {"prompt": "JULIET:\n", "seed": 4},
        [
            {"stop": ["\n"], **_PENALTIES},
            {"prompt": "NURSE:\n", "stop": ["the", "\n\n"], **_PENALTIES, "stream": True},
            {"seed": 9, "temperature": 0, "logprobs": 1, "max_tokens": 30},
        ],
    ),
    ({"seed": 5}, [{"prompt": "", "max_tokens": 40}, {"stop": "e"}, {"stop": "e"}, {}]),
    (
        {"model": "songci", "prompt": "念奴娇", "seed": 6},
        [{"max_tokens": 30, "stop": ["。"]}, {"max_tokens": 30, **_PENALTIES}],
    ),
    ({"model": "names", "seed": 7}, [{}, {}]),
]
"""A session each, and its turns."""

TOGETHER: list[Body] = [
    {
        "prompt": "HAMLET:\n" * (1 + n % 3),
        "seed": n,
        "temperature": 0.5 + 0.1 * n,
        "max_tokens": 150,
    }
    for n in range(16)
]
"""Asked all at once."""


async def record(url: str) -> list[Any]:
    """The answers of a server that has just been started; what is drawn at random is left out."""
    answers: list[Any] = []
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for n, body in enumerate(SINGLE):
            answers.append(await _answer(client, {"seed": n, **body}))
        for session, turns in SESSIONS:
            created = (await client.post("/sessions", json=session)).raise_for_status().json()
            answers += [await _answer(client, {"session": created["id"], **t}) for t in turns]
            after = (await client.get(f"/sessions/{created['id']}")).raise_for_status().json()
            answers.append({key: after[key] for key in ("num_tokens", "version", "num_bytes")})
        together = await asyncio.gather(*(_answer(client, body) for body in TOGETHER))
        for answer in together:  # who comes first finds no prompt in the cache
            del answer["usage"]["cached_tokens"]
        answers += together
    return answers


async def _answer(client: httpx.AsyncClient, body: Body) -> Any:
    if not body.get("stream"):
        response = await client.post("/generate", json=body)
        answer = response.json()
        if response.status_code != 200:
            return {"status": response.status_code, **answer}
    else:
        answer = {"text": "", "logprobs": []}
        async for event in _events(client, body):
            text = answer["text"] + event["text"]
            answer = {
                **event,
                "text": text,
                "logprobs": answer["logprobs"] + event.get("logprobs", []),
            }
    return {
        key: value for key, value in answer.items() if key not in {"id", "session", "num_tokens"}
    }


async def _events(client: httpx.AsyncClient, body: Body) -> AsyncIterator[Any]:
    async with client.stream("POST", "/generate", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def differences(before: list[Any], after: list[Any]) -> list[str]:
    """What differs, a line for each answer."""
    found = [f"{len(before)} answers before, {len(after)} after"] * (len(before) != len(after))
    for n, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            found.append(f"answer {n}:\n  before {old}\n  after  {new}")
    return found


def main() -> int:
    """Record or compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("source", help="URL of a server, or a file of before")
    parser.add_argument("file", type=Path, help="where the answers go, or a file of after")
    options = parser.parse_args()
    if options.what == "record":
        answers = asyncio.run(record(options.source))
        options.file.write_text(json.dumps(answers, ensure_ascii=False, indent=1), encoding="utf-8")
        print(f"{len(answers)} answers: {options.file}")
        return 0
    before, after = (
        json.loads(Path(file).read_text(encoding="utf-8"))
        for file in (options.source, options.file)
    )
    found = differences(before, after)
    print("\n".join(found) or f"all {len(before)} answers are equal")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
