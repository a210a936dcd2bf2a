"""Names that are not UTF-8 in what is printed: nothing fails, and what is to be pasted works."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.training.tiny import sentences
from training.cli import main
from training.config.places import address_in
from training.doctor.places import Place, writable
from training.loop import pace

NAME = os.fsdecode(b"te\xffxt.txt")
QUOTED = r"$'te\xffxt.txt'"
SHOWN = r"te\xffxt.txt"


@pytest.fixture(autouse=True)
def _in_a_folder_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path(NAME).write_text(sentences(6_000), encoding="utf-8")


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Of a command that fails."""
    assert main(words) in (1, 2)
    return capsys.readouterr().err


def test_bash_reads_what_is_quoted() -> None:
    """As the very bytes."""
    read = subprocess.run(["bash", "-c", f"cat {QUOTED}"], capture_output=True, check=True)
    assert read.stdout == Path(NAME).read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([NAME], f"to train on {SHOWN}: lstm-train run {QUOTED}"),
        (["sample", NAME], f"what is {SHOWN}, a model or a training? --model {QUOTED} "),
        (["gradients", NAME], f"{SHOWN}: gradients takes nothing more"),
        (["look", f"--{NAME}"], rf"there is no option --{SHOWN}"),
        ([NAME.replace(".", "-")], r"there is no command te\xffxt-txt"),
        (["run", "x" + NAME], f"there is no x{SHOWN}, neither a text nor a config"),
        (["run", "--text", "x" + NAME], f"cannot read text x{SHOWN}: No such file"),
        (["run", NAME, "--text", NAME], f"two texts, {SHOWN} and --text {SHOWN}"),
        (["look", NAME, "--output", f"{NAME}s/a.png"], r"mkdir -p $'te\xffxt.txts'"),
        (["look", NAME, "--output", NAME], "does not end in .png or .pdf"),
        (["train", f"{NAME}.toml"], f"cannot read config {SHOWN}.toml"),
        (["evaluate", "--run-dir", NAME], f"there is no checkpoint {SHOWN}/best.pt"),
    ],
)
def test_complaints(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    """With escapes for people, quoted for the shell."""
    assert said in complaint(capsys, *words)


def test_the_doctor(tmp_path: Path) -> None:
    """Of a folder that takes files, and of a file that is none."""
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (writes,) = writable(Place("runs", folder, "--run-dir", True))
    assert writes.words.startswith(rf"$'{tmp_path}/\xff': can be written")
    (refuses,) = writable(Place("runs", tmp_path / NAME, "--run-dir", True))
    assert f"{SHOWN} is no folder" in refuses.words


def test_an_address() -> None:
    """Its file is called like its last part."""
    fetch = rf"curl -L -o {QUOTED} $'http://a.org/te\xffxt.txt'"
    assert fetch in str(address_in(f"http://a.org/{NAME}"))


def test_look(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The line for `run` can be pasted."""
    monkeypatch.setattr(pace, "_ENOUGH_S", 0.01)
    assert main(["look", NAME, "--output", os.fsdecode(b"\xff.png")]) == 0
    output = capsys.readouterr().out
    assert f"next: lstm-train run --text {QUOTED} --name te-xt\n" in output or (
        f"next: lstm-train run --text {QUOTED} --name text\n" in output
    )
    assert "picture: \\xff.png\n" in output
