"""What a model of items makes up: does it end its texts, and are they its own?"""

from __future__ import annotations

from collections.abc import Iterator

from service.artifacts.manifest import Inventions
from service.runtime.decoder import Sampling
from training.corpora.corpus import Texts
from training.step_model import StepModel
from training.writing import write

NUM_TEXTS = 1000
_ROWS = 250


def inventions(model: StepModel, train: Texts, temperature: float) -> Inventions:
    """Let a model write 1,000 texts from nothing and compare them with those it was trained on.

    Args:
        model: Of items: its texts begin and end.
        train: The items; read twice, never held.
        temperature: Of the draws.
    """
    lengths = [len(item) for item in train]
    texts = list(_written(model, max(lengths), temperature))
    well_formed = [text for text in texts if 0 < len(text) <= max(lengths)]
    wanted = set(well_formed)
    known = {item for item in train if item in wanted}
    return Inventions(
        num_texts=len(texts),
        temperature=temperature,
        well_formed=len(well_formed) / len(texts),
        new=sum(text not in known for text in well_formed) / len(texts),
        distinct=len(wanted) / len(texts),
        num_trained_on=len(lengths),
    )


def _written(model: StepModel, max_characters: int, temperature: float) -> Iterator[str]:
    """Texts that have ended, or are longer than `max_characters`."""
    num_tokens = 4 * max_characters + 1  # a token is at least a byte, a character at most four
    for first in range(0, NUM_TEXTS, _ROWS):
        seeds = range(first, first + _ROWS)
        samplings = [Sampling(seed=seed, temperature=temperature) for seed in seeds]
        yield from write(model, "", num_tokens, samplings)
