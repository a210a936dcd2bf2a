"""`lstm-train doctor`: whatever is missing has a line, and what is needed a status."""

from __future__ import annotations

import importlib
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiny_model import publish
from tests.training.documented import documented
from training.cli import main
from training.doctor import computing, places
from training.doctor.finding import Finding, State, tried
from training.doctor.places import Place, writable

Usage = namedtuple("Usage", "total used free")


def place(path: Path, *, is_needed: bool = True) -> Place:
    """Of a store."""
    return Place("store", path, "--store", is_needed)


def states(findings: Iterator[Finding]) -> list[State]:
    """How all of it is."""
    return [finding.state for finding in findings]


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return ["doctor", "--data", "data", "--run-dir", "runs", "--store", "store"]


def test_all_is_well_here(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every line has figures; nothing is left in the folder."""
    publish(Path("store"), "mine")
    assert main(arguments) == 0
    output = capsys.readouterr().out

    assert "everything that is needed works" in output
    assert "runs an exported graph in float32 and int8" in output
    assert "mine@1" in output
    for line in ("Python", "torch", "numbers", "threads", "memory", "runs", "data", "opencc"):
        assert f"│ {line} " in output
    assert [path.name for path in Path().iterdir()] == ["store"]


def test_a_store_that_is_a_file(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Is needed, so the status is 1."""
    Path("store").write_text("", encoding="utf-8")
    assert main(arguments) == 1
    output = capsys.readouterr().out

    assert documented("is no folder") in output
    assert "--store" in output
    assert output.endswith("broken: store\n")


@pytest.mark.parametrize(("is_needed", "state"), [(True, State.BROKEN), (False, State.NOTE)])
@pytest.mark.parametrize("error", [13, 28, 30])
def test_a_folder_that_takes_no_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: int,
    is_needed: bool,
    state: State,
) -> None:
    """No rights, no room, a read-only disk; also for whoever may do everything."""

    def refuse(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", refuse)
    [finding] = writable(place(tmp_path / "it's" / "new", is_needed=is_needed))

    assert finding.state == state
    assert documented("cannot be written") in finding.words
    assert os.strerror(error) in finding.words
    assert list(tmp_path.iterdir()) == []


def test_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said, and is no fault."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 8, 1 << 20))
    [finding] = writable(place(tmp_path))

    assert finding.state == State.NOTE
    assert documented("little room") in finding.words


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    """The others are whole."""
    publish(tmp_path, "whole")
    (publish(tmp_path, "torn") / "model.onnx").write_bytes(b"")
    [finding] = places.models_of(tmp_path)

    assert finding.state == State.NOTE
    assert "torn" in finding.words


@pytest.mark.parametrize(
    ("name", "error", "state", "words"),
    [
        ("opencc", ModuleNotFoundError("no opencc"), State.NOTE, "is not installed"),
        ("opencc", ImportError("libx.so"), State.NOTE, "cannot be loaded (libx.so)"),
        ("tensorboard", ModuleNotFoundError(), State.NOTE, "lstm-serve[tensorboard]"),
        ("matplotlib", OSError("damaged"), State.BROKEN, "cannot be loaded (damaged)"),
    ],
)
def test_optional_parts(
    monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, state: State, words: str
) -> None:
    """What is missing, what needs it, and the command."""
    real = importlib.import_module

    def load(asked: str) -> object:
        if asked == name:
            raise error
        return real(asked)

    monkeypatch.setattr(importlib, "import_module", load)
    [finding] = [finding for finding in computing.optional_parts() if finding.what == name]

    assert finding.state == state
    assert words in finding.words
    assert "pip install" in finding.words
    documented("is not installed")


def test_a_check_that_fails_hides_nothing() -> None:
    """Whatever it raises is a line; what it had found before stays."""

    def check() -> Iterator[Finding]:
        yield Finding("first", State.OK, "")
        raise RuntimeError("could not create a primitive")

    found = tried("torch", check)
    assert [(finding.what, finding.state) for finding in found] == [
        ("first", State.OK),
        ("torch", State.BROKEN),
    ]
    assert "could not create a primitive; try `make .venv/complete`" in found[1].words


def test_a_busy_machine_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are notes: a training works, slowly."""
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    monkeypatch.setattr(computing, "available_memory", lambda: 1 << 29)
    [threads], [memory] = computing.threads(), computing.memory()

    assert documented("the load is") in threads.words
    assert [threads.state, memory.state] == [State.NOTE, State.NOTE]
    monkeypatch.setattr(computing, "available_memory", lambda: None)
    assert states(computing.memory()) == [State.NOTE]
