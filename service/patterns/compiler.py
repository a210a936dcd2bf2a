"""Automata of patterns: each compiled once, in a process of its own, and kept."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.artifacts.manifest import Manifest
from service.artifacts.pieces import Piece
from service.artifacts.tokenizer import Tokenizer
from service.engine.errors import Overloaded
from service.patterns.keywords import SchemaRefused
from service.patterns.pattern import Pattern, PatternRefused
from service.patterns.schemas import plain_schema
from service.runtime.automaton import Automaton

_PROGRAM = Path(__file__).with_name("compiling.py")
_MEMORY_BYTES = 1 << 30
_MAX_CELLS = 1 << 18
"""Of an automaton's table: states times classes of tokens; a megabyte."""
_MOST_WAITING = 16
_RETRY_AFTER_S = 2.0

_Key = tuple[bytes, str, str]


class PatternCompiler:
    """Compiles patterns, one at a time, and keeps the automata that were asked for last.

    Used on one event loop.

    Args:
        timeout_s: For one pattern.
        max_entries: Automata that are kept.
    """

    def __init__(self, *, timeout_s: float, max_entries: int) -> None:
        self._timeout_s = timeout_s
        self._max_entries = max_entries
        self._kept: OrderedDict[_Key, Automaton] = OrderedDict()
        self._compiling: dict[_Key, asyncio.Task[Automaton]] = {}
        self._door = asyncio.Semaphore(1)

    async def automaton(
        self, pattern: Pattern, manifest: Manifest, tokenizer: Tokenizer
    ) -> Automaton:
        """The automaton of a pattern for the tokens of a model.

        Raises:
            PatternRefused: There is none.
            Overloaded: Too many wait to be compiled.
        """
        key = (manifest.fingerprint, pattern.kind, pattern.content)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._compiling:
            if len(self._compiling) >= _MOST_WAITING:
                raise Overloaded(
                    f"{len(self._compiling)} patterns wait to be compiled already",
                    retry_after_s=_RETRY_AFTER_S,
                )
            task = asyncio.ensure_future(self._compile(key, pattern, manifest, tokenizer))
            self._compiling[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        # Whoever leaves meanwhile leaves it to the others who wait for the same.
        return await asyncio.shield(self._compiling[key])

    def _done(self, key: _Key, task: asyncio.Task[Automaton]) -> None:
        del self._compiling[key]
        if not task.cancelled():
            task.exception()  # it is looked at, even if nobody waits any more

    async def _compile(
        self, key: _Key, pattern: Pattern, manifest: Manifest, tokenizer: Tokenizer
    ) -> Automaton:
        async with self._door:
            automaton = await asyncio.to_thread(
                _compiled, pattern, manifest, tokenizer, self._timeout_s
            )
        self._kept[key] = automaton
        if len(self._kept) > self._max_entries:
            self._kept.popitem(last=False)
        return automaton


def _compiled(
    pattern: Pattern, manifest: Manifest, tokenizer: Tokenizer, timeout_s: float
) -> Automaton:
    """Ask the program, and read its answer."""
    content = pattern.content
    if pattern.kind == "json_schema":
        try:
            content = plain_schema(content)
        except SchemaRefused as error:
            raise PatternRefused(str(error)) from error
    question = {
        "kind": pattern.kind,
        "pattern": content,
        **_vocabulary(manifest, tokenizer),
        "end": manifest.special_ids.end,
        "max_cells": _MAX_CELLS,
        "memory_bytes": _MEMORY_BYTES,
        "time_s": int(timeout_s) + 1,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_PROGRAM)],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=timeout_s,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise PatternRefused(
            f"compiling it takes longer than {timeout_s:g} s: it is too large"
        ) from error
    except subprocess.CalledProcessError as error:
        # The library ends the process when there is no memory left.
        raise PatternRefused("compiling it takes too much memory: it is too large") from error
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise PatternRefused(answer["error"])
    return Automaton(np.array(answer["next"], np.int32), np.array(answer["classes"], np.int32))


def _vocabulary(manifest: Manifest, tokenizer: Tokenizer) -> dict[str, list[str | None]]:
    """The bytes of each id, as the first of a text and as any other.

    Raises:
        PatternRefused: What an id stands for depends on those before it.
    """
    pieces = tokenizer.pieces
    if pieces is None or pieces.edits:
        raise PatternRefused(f"the tokens of {manifest.ref} have no text of their own")
    never = {*manifest.special_ids.never_sampled, manifest.special_ids.end}

    def of_all(each: Sequence[Piece]) -> list[str | None]:
        return [None if n in never else _latin(piece) for n, piece in enumerate(each)]

    return {"first": of_all(pieces.first), "rest": of_all(pieces.rest)}


def _latin(piece: Piece) -> str | None:
    if not piece:
        return None
    return (piece.encode() if isinstance(piece, str) else piece).decode("latin-1")
