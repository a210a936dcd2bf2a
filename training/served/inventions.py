"""What a model of items makes up: does it end its texts, and are they its own?"""

from __future__ import annotations

from collections.abc import Iterator

from service.artifacts.manifest import Inventions
from service.runtime.sampling import Sampling
from training.corpora.corpus import Texts
from training.served.step_model import StepModel

NUM_TEXTS = 1000
MAX_CHARACTERS = 2000
"""Longer items than this are not waited for."""
_ROWS = 250


def inventions(model: StepModel, train: Texts, temperature: float) -> Inventions:
    """Let a model write 1,000 texts from nothing and compare them with those it was trained on.

    Args:
        model: Of items: its texts begin and end.
        train: The items; read twice, never held.
        temperature: Of the draws.
    """
    num_items, longest = 0, 0
    for item in train:
        num_items, longest = num_items + 1, max(longest, len(item))
    longest = min(longest, MAX_CHARACTERS)
    texts = list(_written(model, longest, temperature))
    well_formed = [text for text in texts if 0 < len(text) <= longest]
    wanted = set(well_formed)
    # As the model would write it: words come back with one space between them.
    known = wanted.intersection(_as_written(model, item) for item in train)
    return Inventions(
        num_texts=len(texts),
        temperature=temperature,
        well_formed=len(well_formed) / len(texts),
        new=sum(text not in known for text in well_formed) / len(texts),
        distinct=len(wanted) / len(texts),
        num_trained_on=num_items,
    )


def _as_written(model: StepModel, item: str) -> str:
    return model.tokenizer.decode(model.tokenizer.encode(item).tolist())


def _written(model: StepModel, max_characters: int, temperature: float) -> Iterator[str]:
    """Texts that have ended, or are longer than `max_characters`."""
    # Characters and words have a sign for the unknown; other tokens may be one byte of four.
    has_bytes = model.tokenizer.special_ids.unknown is None
    num_tokens = max_characters * (4 if has_bytes else 1) + 1
    for first in range(0, NUM_TEXTS, _ROWS):
        seeds = range(first, first + _ROWS)
        samplings = [Sampling(seed=seed, temperature=temperature) for seed in seeds]
        yield from model.write("", num_tokens, samplings)
