"""`lstm-train look`: what it says is what `run` would do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.artifacts.manifest import NAME_PATTERN
from tests.training.documented import documented
from tests.training.tiny import sentences
from training.cli import main
from training.commands.arguments import Source
from training.commands.planned import config_and_corpus
from training.commands.portrait import _model_name
from training.loop import pace


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In an empty folder; three steps are enough."""
    monkeypatch.setattr(pace, "_ENOUGH_S", 0.01)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def test_look_says_what_run_would_do(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same epochs and columns; a table, a picture, and the next command."""
    assert main(["look", str(text_file), "--output", "p.png"]) == 0
    output = capsys.readouterr().out
    config, corpus = config_and_corpus(None, Source(text=text_file, name="x"))
    training = config.training

    assert Path("p.png").read_bytes()[:4] == b"\x89PNG"
    for phrase in ("different characters", "bits per character", "gzip -9", "as items?"):
        assert documented(phrase) in output
    assert re.search(rf"epochs +│ {training.epochs}: about", output)
    assert re.search(rf"columns +│ {training.batch_size} of windows of {training.window}", output)
    num_steps = -(-((corpus.train.num_characters - 1) // training.batch_size) // training.window)
    assert f"{num_steps * training.epochs:,} steps at" in output
    assert f"lstm-train run --text {text_file} --name sentences" in output
    assert not Path("runs").exists()


def test_look_at_a_config(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own text, tokens and sizes."""
    config = (
        f"name = 'c'\n[corpus]\npath = {str(text_file)!r}\nitems = 'lines'\n"
        "[tokenizer]\nkind = 'byte'\n[model]\nhidden_size = 8\nembedding_size = 8\n"
        "[training]\nbatch_size = 4\nwindow = 8\nepochs = 3\n"
    )
    Path("my c.toml").write_text(config, encoding="utf-8")
    assert main(["look", "my c.toml"]) == 0
    output = capsys.readouterr().out

    assert re.search(r"tokens +│ byte, as the config says", output)
    assert re.search(r"size +│ 2x8, as the config says", output)
    assert "next: lstm-train run 'my c.toml'" in output
    assert Path("look.png").exists()


def test_texts_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither for rich nor for matplotlib, nor for the shell; nor do they move the cursor."""
    path = tmp_path / "it's [red]$x^$.txt"
    odd = "\x1b[31m[bold]$\\alpha_ 漢字 \u202e x[/bold] \ufffe\n"
    path.write_text(sentences(5_000) + odd, encoding="utf-8")
    assert main(["look", str(path)]) == 0
    output = capsys.readouterr().out

    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "U+001B control  once" in output
    assert "[red]$x^$.txt" in output
    assert "--text '" in output


@pytest.mark.parametrize("name", ["A b.txt", "ü.txt", ".txt", "x" * 90, "it's", "-a", "a.tar.gz"])
def test_a_name_for_every_file(name: str) -> None:
    """One that the store takes."""
    assert re.fullmatch(NAME_PATTERN, _model_name(Source(text=Path(name))))


def test_what_run_refuses_look_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same words."""
    (tmp_path / "short.txt").write_text("short", encoding="utf-8")
    refused = []
    for command in (["look", "short.txt"], ["run", "--text", "short.txt", "--name", "s"]):
        assert main(command) == 1
        refused.append(capsys.readouterr().err)
    assert refused[0] == refused[1]
