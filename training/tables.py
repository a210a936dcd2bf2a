"""Figures in columns, for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from service.artifacts.store import Artifact
from training.batches.shares import Shares
from training.evaluation.losses import COLD_WINDOW, Loss
from training.served.surprise import Surprise
from training.yardsticks.measured import Yardsticks

_MEANINGS = {
    "stateful": "one pass from the first token to the last, as the server reads",
    f"cold-{COLD_WINDOW}": f"in windows of {COLD_WINDOW} tokens that know nothing of what was "
    "before them, as others often measure",
    "nats": "how surprised it is by each token on average, -ln of the probability that it gave to "
    "it; bits are nats / 0.693; lower is better",
    "perplexity": "e to the nats: as hard as guessing among so many equally likely tokens",
    "bits/character": "the same surprise shared out among the characters, and so comparable "
    "between tokenizers; 8 bits are a byte, so it is also what the text could be packed into",
    "perplexity/character": "the same shared out among the characters, and so comparable between "
    "tokenizers: 2 to the bits per character",
    "unknown": "the share of tokens that are the one sign for everything unknown, which is easy to "
    "guess: figures with different shares are not of the same difficulty",
    "adapts": "it learns from the very text that is measured: never beside figures that do not",
}
"""What figures mean, in one line each."""
_OF_CHARACTERS = Shares(None, 1.0)


def meaning_of(figure: str) -> str:
    """What a figure means, in one line."""
    return _MEANINGS[figure]


def _explained(title: str, *figures: str) -> Table:
    """A table with a line below for each figure that has a meaning of its own."""
    lines = [f"{name}: {_MEANINGS[name]}" for name in figures if name in _MEANINGS]
    return Table(title=title, caption="\n".join(lines), caption_justify="left")


def losses_table(title: str, losses: Mapping[str, Loss], shares: Shares = _OF_CHARACTERS) -> Table:
    """Measured losses, by the name of the measure.

    Args:
        title: What was measured on what.
        losses: By the measure.
        shares: Of the text that was measured.
    """
    adapting = ["adapts"] if any("adapts" in measure for measure in losses) else []
    more = _of_shares(shares.unknown, is_of_characters=shares.tokens_per_character == 1.0)
    table = _explained(title, *losses, *adapting, "nats", "perplexity", *more)
    for heading in ("measure", "predictions", "nats/token", "bits/token", "perplexity", *more):
        table.add_column(heading, justify="right")
    for measure, loss in losses.items():
        figures = (f"{loss.nats:.4f}", f"{loss.bits:.4f}", f"{loss.perplexity:.4f}")
        others = {
            "perplexity/character": f"{shares.perplexity_per_character(loss.nats):.4f}",
            "unknown": shares.unknown_in_words,
        }
        table.add_row(measure, f"{loss.num_tokens:,}", *figures, *(others[name] for name in more))
    return table


def _of_shares(unknown: float | None, *, is_of_characters: bool) -> list[str]:
    """Columns without which a figure of tokens that are no characters says little."""
    columns = [] if is_of_characters else ["perplexity/character"]
    if unknown is None or (is_of_characters and unknown == 0):
        return columns
    return [*columns, "unknown"]


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
    evaluations = artifact.manifest.evaluations
    methods = dict.fromkeys(evaluation.method for evaluation in evaluations)
    title = f"{artifact.ref}, {part} text, by the serving runtime"
    more = _of_shares(
        evaluations[0].unknown_share,
        is_of_characters=math.isclose(
            evaluations[0].perplexity, 2.0 ** evaluations[0].bits_per_character, rel_tol=1e-6
        ),
    )
    table = _explained(title, *methods, "nats", "bits/character", "perplexity", *more)
    for heading in ("measure", "weights", "nats/token", "bits/character", "perplexity", *more):
        table.add_column(heading, justify="right")
    for evaluation in evaluations:
        others = {
            "perplexity/character": f"{2.0**evaluation.bits_per_character:.4f}",
            "unknown": f"{evaluation.unknown_share or 0.0:.2%}",
        }
        table.add_row(
            evaluation.method,
            evaluation.precision,
            f"{evaluation.nats_per_token:.4f}",
            f"{evaluation.bits_per_character:.4f}",
            f"{evaluation.perplexity:.4f}",
            *(others[name] for name in more),
        )
    return table


def yardsticks_table(yardsticks: Yardsticks, part: str, bits_per_character: float) -> Table:
    """The model's figure among those of what is no network, the best one last."""
    rows = [(row.name, row.bits_per_character) for row in yardsticks.rows]
    table = Table(title=f"{part} text, beside what is no network")
    table.add_column("by")
    table.add_column("bits/character", justify="right")
    for name, bits in sorted([*rows, ("this model", bits_per_character)], key=lambda row: -row[1]):
        table.add_row(name, f"{bits:.4f}", style="bold" if name == "this model" else "")
    return table


def yardsticks_words(yardsticks: Yardsticks, bits_per_character: float) -> Text:
    """What stands below the table: how they compare, and what was not measured on everything."""
    verdict = yardsticks.verdict(bits_per_character)
    sentences = [*([] if verdict is None else [verdict]), *yardsticks.notes]
    return Text("\n".join(sentences))
