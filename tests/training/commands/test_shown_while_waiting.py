"""What each verb says of the text that it reads, and that none reads or writes in silence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.training.commands.test_piped import CONFIG
from tests.training.documented import documented
from tests.training.tiny import sentences
from training.cli import main
from training.loop import pace
from training.waiting import Unit, Waiting, Work

READ = ["checksum of the text", "reading the text"]
COMPARED = "looking for the held-out text in what is trained on"
MADE = ["tokens of the train part", "tokens of the validation part"]


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever is shown while it lasts, in order."""
    begun: list[str] = []

    @contextmanager
    def during(
        self: Waiting, what: str, total: int | None = None, unit: Unit = "characters"
    ) -> Iterator[Work]:
        begun.append(what)
        yield Work(what, total, unit)

    monkeypatch.setattr(Waiting, "during", during)
    return begun


@pytest.fixture(autouse=True)
def _in_a_folder_with_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(pace, "_ENOUGH_S", 0.01)
    Path("tiny.toml").write_text(CONFIG.replace("elsewhere", "texts/x"), encoding="utf-8")
    Path("texts").mkdir()
    Path("texts/x.txt").write_text(sentences(6_000), encoding="utf-8")
    Path("texts/x.png").write_bytes(b"\x89PNG")
    sweep = 'config = "tiny.toml"\nnum_trials = 1\n[space."model.hidden_size"]\nchoices = [8]\n'
    Path("sweep.toml").write_text(sweep, encoding="utf-8")


@pytest.mark.parametrize("verb", ["train", "find-lr", "look", "sweep"])
def test_what_was_read_and_held_out(
    capsys: pytest.CaptureFixture[str], works: list[str], verb: str
) -> None:
    """The same lines of a folder, whatever is done with it; nothing is silent for long."""
    words = ["sweep.toml"] if verb == "sweep" else ["tiny.toml", "--text", "texts"]
    if verb == "sweep":
        Path("tiny.toml").write_text(CONFIG.replace("elsewhere.txt", "texts"), encoding="utf-8")
    assert main([verb, *words]) == 0
    output = capsys.readouterr().out
    assert "texts: .txt 1\n" in output
    assert documented("left out: ") + "1 with other endings (.png 1" in output
    assert "held out: 600 of 6,000 characters (10.0%), the end of x.txt" in output
    # All lines are too short to be looked for.
    assert documented("nothing was looked for in the training part") in output
    assert works[:3] == [*map(documented, READ), documented(COMPARED)]
    made = {*MADE} if verb != "look" else {"looking at all of it", "training a few steps"}
    assert made <= set(works)


def test_measuring_says_what_it_does(capsys: pytest.CaptureFixture[str], works: list[str]) -> None:
    """Of a run whose ids are gone, and of a published model."""
    assert main(["run", "tiny.toml", "--store", "st"]) == 0
    assert works[:4] == [*map(documented, [*READ, "trying the store"]), documented(COMPARED)]
    for file in Path("runs/tiny/tokens").iterdir():
        file.unlink()
    works.clear()
    capsys.readouterr()
    assert main(["evaluate", "--run-dir", "runs/tiny"]) == 0
    assert "held out: 600 of 6,000 characters" in capsys.readouterr().out
    # The training part's ids are for the yardsticks.
    measured = [*READ, MADE[1], "measuring", MADE[0], "measuring what is no network"]
    assert works == measured
    works.clear()
    assert main(["evaluate", "--model", "tiny", "--store", "st", "--text", "texts/x.txt"]) == 0
    assert works == ["reading the text", "tokens of the text", "measuring"]


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "jsonl", "--text-field", "body", "--items", "lines"],
        ["--glob", "*.jsonl", "--format", "jsonl", "--text-field", "body"],
    ],
)
def test_look_takes_what_run_takes(
    capsys: pytest.CaptureFixture[str], options: list[str], tmp_path: Path
) -> None:
    """And prints it again for `run`."""
    lines = "".join(f'{{"body": "{line}"}}\n' for line in sentences(9_000).splitlines())
    Path("texts/my chats.jsonl").write_text(lines, encoding="utf-8")
    text = "texts" if "--glob" in options else "texts/my chats.jsonl"
    if "--items" in options:
        options = options[:4]
    assert main(["look", text, *options]) == 0
    output = capsys.readouterr().out
    assert "body" not in output.split("next: ")[0]
    line = output.split("next: ")[1]
    quoted = "'texts/my chats.jsonl'" if "--glob" not in options else "texts"
    assert line.startswith(f"lstm-train run --text {quoted} --name ")
    for value in options[1::2]:
        assert (f"'{value}'" if "*" in value else value) in line


def test_an_encoding_of_a_text_without_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    """It belongs to the text, however that is named."""
    Path("l.txt").write_bytes(("Thé " + sentences(6_000)).encode("latin-1"))
    assert main(["look", "l.txt", "--encoding", "latin-1"]) == 0
    assert "é" in capsys.readouterr().out
    assert main(["look", "tiny.toml", "--encoding", "latin-1"]) == 1
    assert "--encoding does nothing without a text" in capsys.readouterr().err
    assert main(["look"]) == 1
    assert "nothing to look at" in capsys.readouterr().err
    assert main(["look", "-"]) == 2
    assert "standard input is --text -" in capsys.readouterr().err
