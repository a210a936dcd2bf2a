"""Figures in columns, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from service.artifacts.store import Artifact
from training.evaluation.losses import Loss
from training.served.surprise import Surprise


def losses_table(title: str, losses: Mapping[str, Loss]) -> Table:
    """Measured losses, by the name of the measure."""
    table = Table(title=title)
    for heading in ("measure", "predictions", "nats/token", "bits/token", "perplexity"):
        table.add_column(heading, justify="right")
    for measure, loss in losses.items():
        figures = (f"{loss.nats:.4f}", f"{loss.bits:.4f}", f"{loss.perplexity:.4f}")
        table.add_row(measure, f"{loss.num_tokens:,}", *figures)
    return table


def surprises_table(places: Iterable[Surprise]) -> Table:
    """Where a text surprised a model, in one line each."""
    table = Table(title="most surprising")
    for heading in ("nats", "token", "after", "came", "expected"):
        table.add_column(heading, justify="right" if heading in ("nats", "token") else "left")
    for place in places:
        texts = (repr(text)[1:-1] for text in (place.before, place.token, place.expected))
        table.add_row(f"{place.nats:.2f}", f"{place.position:,}", *map(Text, texts))
    return table


def figures_table(artifact: Artifact) -> Table:
    """The published losses."""
    [part] = {evaluation.part for evaluation in artifact.manifest.evaluations}
    table = Table(title=f"{artifact.ref}, {part} text, by the serving runtime")
    for heading in ("measure", "weights", "nats/token", "bits/character", "perplexity"):
        table.add_column(heading, justify="right")
    for evaluation in artifact.manifest.evaluations:
        table.add_row(
            evaluation.method,
            evaluation.precision,
            f"{evaluation.nats_per_token:.4f}",
            f"{evaluation.bits_per_character:.4f}",
            f"{evaluation.perplexity:.4f}",
        )
    return table
