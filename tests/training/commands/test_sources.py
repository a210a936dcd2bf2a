"""Addresses are named as what they are; encodings are kept by the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.artifacts.store import ModelStore
from tests.training.commands.test_piped import CONFIG, TEXT, complaint
from tests.training.documented import documented
from training.cli import main
from training.runs.run_folder import RunFolder


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(CONFIG, encoding="utf-8")
    Path("x.txt").write_text(TEXT, encoding="utf-8")


@pytest.mark.parametrize(
    ("address", "command"),
    [
        ("https://a.org/b/c.txt?x=1&y=2", "curl -L -o c.txt 'https://a.org/b/c.txt?x=1&y=2'"),
        ("http://a.org", "curl -L -o text.txt http://a.org"),
        ("HTTPS://a.org/b c.txt", "curl -L -o 'b c.txt' 'https://a.org/b c.txt'"),
        ("ftp://a.org/c.txt", "curl -L -o c.txt ftp://a.org/c.txt"),
        ("s3://bucket/c.txt", "a program that knows s3"),
        ("file:///home/c.txt", "give the path itself, /home/c.txt"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "train", "config", "find-lr", "evaluate", "publish"])
def test_addresses_are_named(
    capsys: pytest.CaptureFixture[str], verb: str, address: str, command: str
) -> None:
    """With a way to fetch the text that works as printed."""
    Path("p.toml").write_text(CONFIG.replace("elsewhere.txt", address), encoding="utf-8")
    words = {
        "config": ["train", "p.toml"],
        "evaluate": ["evaluate", "--run-dir", "r", "--text", address],
        "publish": ["publish", "--run-dir", "runs/tiny", "--text", address],
    }.get(verb, [verb, "--name", "m", "--text", address])
    if verb == "publish":
        assert main(["train", "tiny.toml", "--text", "x.txt"]) == 0
        capsys.readouterr()
    error = complaint(capsys, *words)
    assert command in error
    documented("is an address, not a file")
    assert not list(Path().glob("https*"))


def test_a_file_may_be_called_like_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    """What is there is read."""
    Path("http:").mkdir()
    Path("http:", "a.txt").write_text(TEXT, encoding="utf-8")
    assert main(["train", "tiny.toml", "--text", "http:/a.txt"]) == 0


@pytest.mark.parametrize("option", [("--encoding", "latin-1"), ("--errors", "skip")])
@pytest.mark.parametrize("verb", ["run", "train", "find-lr", "evaluate"])
def test_how_a_text_is_read_goes_with_one(
    capsys: pytest.CaptureFixture[str], verb: str, option: tuple[str, str]
) -> None:
    """Nothing is ignored."""
    words = ["evaluate", "--model", "m"] if verb == "evaluate" else [verb, "tiny.toml"]
    assert main([*words, *option]) in (1, 2)
    assert f"{option[0]} does nothing without " in capsys.readouterr().err


def test_an_encoding_is_kept_by_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    """With a config or without; it goes on, is measured and published by it."""
    Path("x.txt").write_bytes(TEXT.replace("The", "Thé").encode("latin-1"))
    error = complaint(capsys, "train", "tiny.toml", "--text", "x.txt")
    assert "--encoding windows-1252" in error
    told = ["--text", "x.txt", "--encoding", "windows-1252"]
    assert main(["train", "tiny.toml", *told]) == 0
    assert main(["train", "tiny.toml", *told, "--resume"]) == 0
    assert main(["train", "--resume", "--run-dir", "runs/tiny"]) == 0
    assert main(["publish", "--run-dir", "runs/tiny", "--store", "store"]) == 0
    config = ModelStore(Path("store")).verify("tiny", 1).manifest.provenance.config
    assert json.dumps("cp1252") in json.dumps(config["corpus"])
    error = complaint(
        capsys,
        "train",
        "--resume",
        "--run-dir",
        "runs/tiny",
        "--text",
        "x.txt",
        "--encoding",
        "big5",
    )
    assert "--encoding cannot be changed when a run is resumed" in error
    measure = ["evaluate", "--model", "tiny", "--store", "store", "--text", "x.txt"]
    assert "is not UTF-8" in complaint(capsys, *measure)
    assert main([*measure, "--encoding", "windows-1252"]) == 0
    assert main([*measure, "--errors", "replace"]) == 0
    assert "they became U+FFFD" in capsys.readouterr().out
    assert main(["train", "--name", "mine", *told, "--epochs", "1"]) == 0
    assert RunFolder(Path("runs/mine")).identity().config.corpus.encoding == "cp1252"


def test_what_was_replaced_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """When it begins, once."""
    Path("x[b].txt").write_bytes("é漢".encode() * 50 + b"\xff" + TEXT.encode())
    told = ["--text", "x[b].txt", "--errors", "skip"]
    assert main(["train", "tiny.toml", *told]) == 0
    output = capsys.readouterr().out
    assert output.count("x[b].txt: bytes at 1 places are not UTF-8; they were left out") == 1
