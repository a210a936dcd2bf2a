"""Runs side by side: what is shown where their losses mean different things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.training.tiny import TinyRun
from training.cli import main

NOTE = "losses per token of different texts or tokenizers cannot be compared"
CONFIG = """
name = "{name}"
[corpus]
path = {text!r}
[tokenizer]
kind = "{kind}"
[model]
hidden_size = 8
num_layers = 1
embedding_size = 8
[training]
epochs = 1
batch_size = 8
window = 16
"""


def trained(folder: Path, text: Path, kind: str = "character") -> Path:
    """The folder of a run on a text."""
    config = folder / f"{kind}-{text.stem}.toml"
    config.write_text(CONFIG.format(name=config.stem, text=str(text), kind=kind), encoding="utf-8")
    run_dir = folder / config.stem
    assert main(["train", str(config), "--run-dir", str(run_dir)]) == 0
    return run_dir


def compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *runs: Path
) -> str:
    """What is printed, each run of spaces as one."""
    monkeypatch.setenv("COLUMNS", "120")
    capsys.readouterr()
    picture = runs[-1] / "compare.png"
    assert main(["compare", *map(str, runs), "--output", str(picture)]) == 0
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def test_other_texts_are_named(
    tiny_run: TinyRun,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With checksum and vocabulary; there is no difference to a loss of another text."""
    text = tmp_path / "other.txt"
    text.write_text("abc def\n" * 800, encoding="utf-8")
    runs = (tiny_run.folder.path, trained(tmp_path, text))
    shown = compared(capsys, monkeypatch, *runs)
    first = tiny_run.corpus.sha256[:12]
    assert re.search(rf"corpus\W+sentences.txt {first}\W+other.txt [0-9a-f]{{12}}\W", shown)
    assert re.search(r"vocabulary size\W+\d+\W+9\W", shown)
    assert re.search(r"to the first run\W+\+0.0000 │ - │", shown)
    assert NOTE in shown


def test_another_tokenizer_of_the_same_text(
    tiny_run: TinyRun,
    tmp_path: Path,
    text_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Is told by its vocabulary; the text is the same."""
    runs = (tiny_run.folder.path, trained(tmp_path, text_file, "byte"))
    shown = compared(capsys, monkeypatch, *runs)
    assert "sentences.txt" not in shown
    assert re.search(r"vocabulary size\W+\d+\W+256\W", shown)
    assert NOTE in shown


def test_the_same_text_needs_no_note(
    tiny_run: TinyRun,
    tmp_path: Path,
    text_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever it lies: its losses are compared."""
    moved = tmp_path / "moved.txt"
    moved.write_bytes(text_file.read_bytes())
    shown = compared(capsys, monkeypatch, tiny_run.folder.path, trained(tmp_path, moved))
    assert "moved.txt" not in shown
    assert "vocabulary size" not in shown
    assert "cannot be compared" not in shown
    assert re.search(r"to the first run\W+\+0.0000 │ [+-]\d\.\d{4} │", shown)
