"""A survey in columns, for people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from training.inside.survey import OPEN, SHUT, ScoreName, Survey

_QUANTILES = {"median": 0.5, "95 %": 0.95, "longest": 1.0}


def tables_of(found: Survey, score: ScoreName) -> Iterator[Table]:
    """How open gates are, how long units remember, and which of them react to what."""
    if found.gates:
        yield _openness(found)
    if found.reactions:
        yield _reactions(found, score)


def _openness(found: Survey) -> Table:
    table = Table(
        title="gates",
        caption=f"open: share of tokens and units above {OPEN}, shut: below {SHUT}; memory in "
        "tokens, 1 / (1 - mean), of gates that keep the past",
        caption_justify="left",
    )
    memories = (f"memory, {name}" for name in _QUANTILES)
    for heading in ("gate", "mean", "open", "shut", *memories):
        table.add_column(heading, justify="left" if heading == "gate" else "right")
    keeping = found.keeping
    for name, gate in found.gates.items():
        memory = (
            [f"{np.quantile(gate.memory_tokens, share):.1f}" for share in _QUANTILES.values()]
            if name in keeping
            else [""] * len(_QUANTILES)
        )
        shares = (f"{share.mean():.1%}" for share in (gate.open_W, gate.shut_W))
        table.add_row(name, f"{gate.mean_W.mean():.3f}", *shares, *memory)
    return table


def _reactions(found: Survey, score: ScoreName) -> Table:
    scale = "bits" if score == "mutual_information" else "-1 to 1"
    table = Table(title=f"units that react most ({score.replace('_', ' ')}, {scale})")
    table.add_column("to", no_wrap=True)
    most = max(len(units) for units in found.reactions.values())
    for place in range(most):
        table.add_column("unit" if place == 0 else "then", no_wrap=True)
    for detector, units in found.reactions.items():
        table.add_row(detector.replace("_", " "), *(f"{unit}\n{unit.score:+.3f}" for unit in units))
    return table
