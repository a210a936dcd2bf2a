"""Figures say what they mean where they stand."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from tests.training.documented import documented
from tests.training.tiny import TinyRun
from training.cli import main
from training.evaluation.losses import Loss
from training.tables import losses_table


def shown(table: Table) -> str:
    """As a person sees it, without the ends of the lines."""
    screen = StringIO()
    Console(file=screen, width=100).print(table)
    return " ".join(screen.getvalue().split())


def test_what_is_in_a_table_is_explained_below_it() -> None:
    """And nothing that is not in it."""
    loss = Loss(2.0, 100)
    text = shown(losses_table("m", {"stateful": loss}))
    assert "stateful: one pass from the first token to the last, as the server reads" in text
    assert "nats: " + documented("how surprised") in text
    assert documented("as hard as guessing among so many equally likely tokens") in text
    assert "cold-256: " not in text
    assert "adapts: " not in text
    text = shown(losses_table("m", {"cold-256": loss, "cache of 9: adapts to this text": loss}))
    assert documented("in windows of 256 tokens") in text
    assert "adapts: it learns from the very text that is measured" in text
    assert "stateful: " not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_is_not_made_wider_by_its_words(width: int) -> None:
    """They are broken where the table ends."""
    screen = StringIO()
    table = losses_table("m", {"stateful": Loss(2.0, 100)})
    Console(file=screen, width=width).print(table)
    assert max(map(len, screen.getvalue().splitlines())) <= min(width, 80)


def test_every_command_that_prints_figures_says_what_they_are(
    tiny_run: TinyRun, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Publishing, and measuring in torch and in the runtime that serves."""
    run_dir, store = str(tiny_run.folder.path), str(tmp_path)
    assert main(["publish", "--run-dir", run_dir, "--store", store]) == 0
    words = " ".join(capsys.readouterr().out.split())
    for name in ("stateful", "cold-256", "nats", "bits/character", "perplexity"):
        assert f"{name}: " in words
    assert main(["evaluate", "--run-dir", run_dir]) == 0
    assert "stateful: one pass" in " ".join(capsys.readouterr().out.split())
    text = str(tiny_run.config.corpus.path)
    assert main(["evaluate", "--model", "tiny", "--store", store, "--text", text]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "bits per character (the same surprise shared out among the characters" in words
