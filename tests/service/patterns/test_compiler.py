"""Compiling in a process of its own: bounded, one at a time, and kept."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from service.artifacts.store import ModelStore
from service.artifacts.tokenizer import Tokenizer
from service.engine.errors import Overloaded
from service.patterns import compiler as compiler_module
from service.patterns.compiler import PatternCompiler
from service.patterns.pattern import Pattern, PatternRefused
from service.runtime.automaton import COMPLETE
from tests import tiny_model


@pytest.fixture
def model(tmp_path):
    """The manifest and the tokenizer of the tiny model."""
    folder = tiny_model.publish(tmp_path)
    artifact = ModelStore(tmp_path).verify(folder.parent.name, 1)
    path = folder / "tokenizer.json"
    tokenizer = Tokenizer(path, artifact.read("tokenizer.json"), tiny_model.VOCABULARY_SIZE)
    return artifact.manifest, tokenizer


def _regex(content: str) -> Pattern:
    return Pattern("regex", content, "regex")


async def test_an_automaton_is_made_once(model, monkeypatch):
    """Also for those who ask at the same time; the one asked for longest ago is forgotten first."""
    made: list[str] = []
    inner = compiler_module._compiled

    def counted(pattern, *others):
        made.append(pattern.content)
        return inner(pattern, *others)

    monkeypatch.setattr(compiler_module, "_compiled", counted)
    compiler = PatternCompiler(timeout_s=20, max_entries=2)
    ab = _regex("ab")

    one, other = await asyncio.gather(*(compiler.automaton(ab, *model) for _ in range(2)))
    await compiler.automaton(_regex("b"), *model)
    assert one is other is await compiler.automaton(ab, *model)
    await compiler.automaton(_regex("c"), *model)
    await compiler.automaton(ab, *model)
    await compiler.automaton(_regex("b"), *model)

    assert ["ab", "b", "c", "b"] == made
    [a, b] = model[1].encode("ab")
    assert COMPLETE == one.after(one.after(0, a), b)
    assert np.int32 == one.next_SC.dtype


async def test_a_bomb_is_given_up_and_others_come_after_it(model):
    """By time; whoever waits for the compiler meanwhile is served then."""
    compiler = PatternCompiler(timeout_s=0.7, max_entries=2)
    bomb = asyncio.ensure_future(compiler.automaton(_regex("(a{1,1000}){1,1000}"), *model))
    await asyncio.sleep(0)

    with pytest.raises(PatternRefused, match="longer than"):
        await bomb
    patient = PatternCompiler(timeout_s=20, max_entries=2)
    assert await patient.automaton(_regex("ab"), *model)


async def test_too_many_patterns_are_refused(model, monkeypatch):
    """Before they are compiled."""
    monkeypatch.setattr(compiler_module, "_MOST_WAITING", 1)
    compiler = PatternCompiler(timeout_s=20, max_entries=2)
    first = asyncio.ensure_future(compiler.automaton(_regex("ab"), *model))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await compiler.automaton(_regex("cd"), *model)
    assert await first


async def test_memory_is_bounded(model, monkeypatch):
    """The process ends, and nothing else."""
    monkeypatch.setattr(compiler_module, "_MEMORY_BYTES", 60 << 20)
    compiler = PatternCompiler(timeout_s=20, max_entries=2)

    with pytest.raises(PatternRefused, match="memory"):
        await compiler.automaton(_regex("(a|b)*a(a|b){20}"), *model)
