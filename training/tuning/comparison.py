"""Runs side by side: a table, and their curves in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from training.batches.shares import Shares, shares_in
from training.config.train import TRAINING_SECTIONS
from training.corpora.load import at_path
from training.errors import CheckpointError
from training.pictures import LINE_COLOURS, picture
from training.runs.checkpoints import Checkpoint
from training.runs.metrics import METRICS_FILE, History, read_history
from training.runs.run_folder import TOKENS_FOLDER, RunFolder

Axis = Literal["epoch", "step", "minutes"]
NOT_COMPARABLE = "losses per token of different texts or tokenizers cannot be compared"


@dataclass(frozen=True)
class Run:
    """A run that has been evaluated at least once."""

    name: str
    checkpoint: Checkpoint
    history: History
    shares: Shares | None = None
    """Of the validation text; None where its ids are gone."""

    @classmethod
    def load(cls, folder: Path) -> Run:
        """Read a run folder.

        Raises:
            CheckpointError: there is no run in it, or nothing was measured yet.
        """
        run_folder = RunFolder(folder)
        checkpoint = Checkpoint.load(run_folder.last)
        history = read_history(folder / METRICS_FILE)
        if not history.evaluations or not history.steps:
            raise CheckpointError(f"{folder}: nothing has been measured yet")
        shares = shares_in(run_folder.path / TOKENS_FOLDER, checkpoint.identity.special_ids.unknown)
        return cls(folder.name, checkpoint, history, shares)

    @property
    def config(self) -> dict[str, Any]:
        """All fields, by their dotted names."""
        return _flat(self.checkpoint.identity.config.model_dump(mode="json"))

    @property
    def measured_on(self) -> tuple[object, ...]:
        """What makes the held-out tokens what they are; equal where losses can be compared."""
        identity = self.checkpoint.identity
        config = identity.config
        # Without its name or path: the same text may be taken by either.
        split = at_path(config.corpus, Path())
        return (identity.corpus.sha256, split, config.cleaning, identity.tokenizer_json)


def comparison_table(runs: Sequence[Run]) -> Table:
    """What differs in the configs, and what came of it. One column for each run."""
    table = Table(title="runs")
    are_alike = [run.measured_on == runs[0].measured_on for run in runs]
    if not all(are_alike):
        table.caption = NOT_COMPARABLE
    table.add_column("", no_wrap=True)
    for run in runs:
        table.add_column(run.name, justify="right", overflow="fold")
    configs = [run.config for run in runs]
    rows = {
        field: [config.get(field) for config in configs]
        for field in sorted(set().union(*configs))
        if field.partition(".")[0] in ("corpus", *TRAINING_SECTIONS) and field != "corpus.path"
    }
    identities = [run.checkpoint.identity for run in runs]
    if len({identity.corpus.sha256 for identity in identities}) > 1:
        rows["corpus"] = [f"{i.corpus.name} {i.corpus.sha256[:12]}" for i in identities]
    rows["vocabulary size"] = [i.tokenizer.vocabulary_size for i in identities]
    for heading, values in rows.items():
        if any(value != values[0] for value in values):
            table.add_row(heading, *(Text(str(value)) for value in values))
    table.add_section()
    for heading, row in _figures(runs, are_alike).items():
        table.add_row(heading, *row)
    return table


def draw_comparison(runs: Sequence[Run], axis: Axis, path: Path) -> None:
    """Validation losses over epochs, steps or minutes."""
    with picture(path) as plots:
        axes = next(plots)
        for n, run in enumerate(runs):
            seen = [
                {"epoch": e.epoch, "step": e.step, "minutes": e.wall_time_s / 60}[axis]
                for e in run.history.evaluations
            ]
            losses = [e.validation_loss for e in run.history.evaluations]
            colour = LINE_COLOURS[n % len(LINE_COLOURS)]
            label = f"{run.name}: {min(losses):.4f}"
            axes.plot(seen, losses, color=colour, marker="o", markersize=3, label=label)
        is_one_text = all(run.measured_on == runs[0].measured_on for run in runs)
        title = "validation loss" if is_one_text else f"validation loss: {NOT_COMPARABLE}"
        axes.set(title=title, xlabel=axis, ylabel="nats per token")
        axes.legend(frameon=False)


def _figures(runs: Sequence[Run], are_alike: Sequence[bool]) -> dict[str, list[str]]:
    best = [min(run.history.evaluations, key=lambda e: e.validation_loss) for run in runs]
    last = [run.history.steps[-1] for run in runs]
    tokens = [sum(step.num_tokens for step in run.history.steps) for run in runs]
    measured = list(zip(best, (run.shares for run in runs), strict=True))
    of_characters = {
        "  bits per character": [
            "-" if shares is None else f"{shares.bits_per_character(e.validation_loss):.4f}"
            for e, shares in measured
        ],
        "  perplexity per character": [
            "-" if shares is None else f"{shares.perplexity_per_character(e.validation_loss):.4f}"
            for e, shares in measured
        ],
        "  unknown tokens": [
            "-" if shares is None else shares.unknown_in_words for _, shares in measured
        ],
    }
    return {
        "best validation loss": [f"{e.validation_loss:.4f}" for e in best],
        **of_characters,
        "  to the first run": [
            f"{e.validation_loss - best[0].validation_loss:+.4f}" if is_alike else "-"
            for e, is_alike in zip(best, are_alike, strict=True)
        ],
        "  at step": [f"{e.step:,}" for e in best],
        "  after minutes": [f"{e.wall_time_s / 60:.1f}" for e in best],
        "training loss there": [f"{e.train_loss:.4f}" for e in best],
        "steps": [f"{step.step:,}" for step in last],
        "minutes": [f"{step.wall_time_s / 60:.1f}" for step in last],
        "tokens/s": [
            f"{count / step.wall_time_s:,.0f}" for count, step in zip(tokens, last, strict=True)
        ],
        "parameters": [f"{run.checkpoint.model().num_parameters():,}" for run in runs],
    }


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat
