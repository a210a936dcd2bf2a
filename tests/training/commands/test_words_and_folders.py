"""From folders and words to published models, by the commands."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from service.artifacts.store import ModelStore
from tests.training.documented import documented
from training.cli import main

CONFIG = """
name = "{name}"
[corpus]
path = "t.txt"
[tokenizer]
kind = "{kind}"
{min_count}
[model]
hidden_size = 8
num_layers = 1
embedding_size = 8
[training]
epochs = 1
batch_size = 8
window = 16
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "180")
    return tmp_path


def words_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, each run of spaces as one."""
    return re.sub(r"[\s│┃]+", " ", capsys.readouterr().out)


def test_names_that_are_not_utf_8_are_published(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a folder to the store, and on by the lines that are printed."""
    texts = os.fsdecode(b"caf\xe9")
    (folder / texts).mkdir()
    for n, name in enumerate([b"a\xe9.py", b"b.PY", b"c.png"]):
        path = folder / texts / os.fsdecode(name)
        path.write_text("".join(f"{n} x{k % 7}\n" for k in range(900)), encoding="utf-8")
    source = ["--text", texts, "--glob", "*.py", "--held-out-by", "files"]
    assert main(["run", *source, "--name", "m", "--epochs", "1", "--store", "st"]) == 0
    said = words_of(capsys)
    assert r"caf\xe9: .py 2 " in said
    assert "read 2 files of " in said
    assert "left out: 1 with other endings (.png 1; --glob or corpus.glob" in said
    assert "1 of 2 files (" in said
    config = ModelStore(folder / "st").manifest("m", 1).provenance.config
    assert config["corpus"]["path"] == r"caf\xe9"  # type: ignore[index, call-overload]
    assert main(["train", "--resume", "--run-dir", "runs/m", "--text", texts]) == 0
    assert r"--text $'caf\xe9'" in words_of(capsys)
    assert main(["publish", "--run-dir", "runs/m", "--store", "st"]) == 0
    assert main(["evaluate", "--run-dir", "runs/m"]) == 0


@pytest.mark.parametrize("option", ["--format", "--text-field", "--glob", "--held-out-by"])
def test_what_a_run_reads_is_not_changed_when_it_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """Its config says it."""
    value = {"--format": "jsonl", "--held-out-by": "files"}.get(option, "x")
    assert main(["train", "--resume", "--run-dir", "r", option, value]) != 0
    captured = capsys.readouterr()
    assert documented("cannot be changed when a run is resumed") in captured.out + captured.err


def test_options_of_the_command_line_take_the_place_of_a_configs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also with its text."""
    (folder / "t.csv").write_text("id,body\n" + "1,some words\n" * 900, encoding="utf-8")
    (folder / "c.toml").write_text('name = "c"\n[corpus]\npath = "t.csv"\n', encoding="utf-8")
    assert main(["train", "c.toml", "--epochs", "1"]) != 0
    captured = capsys.readouterr()
    assert "--format csv --text-field body" in captured.out + captured.err
    options = ["--format", "csv", "--text-field", "body", "--held-out-by", "end"]
    assert main(["train", "c.toml", "--epochs", "1", *options]) == 0
    assert "held out: " in words_of(capsys)


def test_figures_of_words_say_how_many_were_unknown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In every table, the model card and the manifest; and what they are for each character."""
    known = "".join(f"one two three four word{n % 5}\n" for n in range(500))
    odd = "".join(f"one odd{n} three four word{n % 5}\n" for n in range(60))
    (folder / "t.txt").write_text(known + odd, encoding="utf-8")
    runs = []
    for kind, min_count in (("word", "min_count = 3"), ("character", "")):
        text = CONFIG.format(name=kind, kind=kind, min_count=min_count)
        (folder / f"{kind}.toml").write_text(text, encoding="utf-8")
        assert main(["run", f"{kind}.toml", "--store", "st"]) == 0
        said = words_of(capsys)
        assert ("perplexity/character" in said) == (kind == "word")
        assert "unknown: the share of tokens" in said
        runs.append(f"runs/{kind}")
    artifact = ModelStore(folder / "st").verify("word", 1)
    [share] = {evaluation.unknown_share for evaluation in artifact.manifest.evaluations}
    assert share is not None
    assert 0.05 < share < 0.2
    card = (artifact.folder / "README.md").read_text(encoding="utf-8")
    assert f"Of the held-out tokens, {share:.2%} are the unknown one." in card
    assert "Perplexity per character, one stateful pass: " in card
    assert main(["evaluate", "--run-dir", "runs/word"]) == 0
    assert f"{share:.2%}" in words_of(capsys)
    assert main(["evaluate", "--model", "word", "--store", "st", "--text", "t.txt"]) == 0
    assert "unknown" in words_of(capsys)
    assert main(["compare", *runs, "--output", "c.png"]) == 0
    said = words_of(capsys)
    assert re.search(rf"unknown tokens {share:.2%} \d+\.\d\d%", said), said[-1500:]
    assert re.search(r"perplexity per character \d+\.\d{4} \d+\.\d{4}", said)
    assert re.search(r"bits per character \d+\.\d{4} \d+\.\d{4}", said)
