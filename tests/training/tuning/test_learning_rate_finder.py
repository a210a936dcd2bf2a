"""`find-lr`: what it trains, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from training.cli import main
from training.commands import tune
from training.commands.arguments import Process
from training.errors import ConfigError
from training.loop.workers import Workers
from training.tuning.learning_rate_finder import Finding, Point, advice

FALLING = tuple(Point(10.0 ** (n - 10), 4.0 - n / 10) for n in range(11))
CONFIG = """
name = "tiny"
[corpus]
path = {text!r}
[model]
hidden_size = 8
num_layers = 1
embedding_size = 8
[training]
batch_size = 8
window = 16
"""


@pytest.fixture
def config_file(text_file: Path, tmp_path: Path) -> Path:
    """A small model."""
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG.format(text=str(text_file)), encoding="utf-8")
    return path


def find(config_file: Path, output: str, *options: str) -> bytes:
    """The picture that a short search leaves."""
    picture = config_file.with_name(output)
    command = ["find-lr", str(config_file), "--num-steps", "12", "--output", str(picture)]
    assert 0 == main([*command, *options])
    return picture.read_bytes()


def test_a_loss_that_only_falls_says_nothing() -> None:
    """The largest rate of all is no advice; one that rose afterwards is."""
    still_falling = Finding(FALLING, steepest=1.0, lowest=1.0, rose=False)
    assert "the loss never rose, not even at 1, the largest rate" in advice(still_falling)
    assert "more steps than 11 (--num-steps)" in advice(still_falling)
    found = Finding(FALLING, steepest=0.01, lowest=0.1, rose=True)
    assert "fell fastest at 0.01 and was lowest at 0.1" in advice(found)


def test_too_few_steps_to_explode(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve steps are over before the loss can rise."""
    find(config_file, "lr.png")
    assert "the loss never rose" in capsys.readouterr().out


def test_the_picture_has_the_name(config_file: Path) -> None:
    """The config's, or the one that is given instead."""
    plain = find(config_file, "plain.png")
    assert plain == find(config_file, "same.png", "--name", "tiny")
    assert plain != find(config_file, "other.png", "--name", "other")


def test_word_vectors_are_used(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The search is over the model that would be trained."""
    table = '[vectors]\npath = "v.txt"\nformat = "glove"\ntrainable = false\n'
    config_file.write_text(config_file.read_text("utf-8") + table, "utf-8")
    assert 1 == main(["find-lr", str(config_file)])
    assert "cannot read vectors" in capsys.readouterr().err
    vectors = config_file.with_name("v.txt")
    vectors.write_text("e" + " 1" * 8 + "\nt" + " -1" * 8 + "\n", "utf-8")
    before = find(config_file, "before.png")
    vectors.write_text("e" + " 9" * 8 + "\nt" + " -9" * 8 + "\n", "utf-8")
    assert before != find(config_file, "after.png")


@pytest.mark.parametrize(("command", "verb"), [("find-lr", tune.find_lr), ("sweep", tune.sweep)])
def test_one_process_only(command: str, verb: Callable[..., int]) -> None:
    """Under torchrun each of them would do the same, in the same files."""
    process = Process(workers=Workers(1, 2), console=Console(quiet=True))
    with pytest.raises(ConfigError, match=f"{command} is for one process: start it without torch"):
        verb(Path("none.toml"), process=process)
