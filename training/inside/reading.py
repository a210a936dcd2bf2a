"""A text as a model reads it, beside what each token reads as, and the activations on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from service.artifacts.activations import activations_of
from service.artifacts.errors import ArtifactError
from service.artifacts.store import Artifact
from service.rows.arrays import Float32, Int64
from service.runtime.inside.detectors import DETECTORS, by_token
from service.runtime.inside.recorder import Recorded, Recorder
from service.runtime.sampling import Sampling
from training.errors import ConfigError, PublishError
from training.served.step_model import StepModel

_MOST_ITEMS_AT_ONCE = 32
_LONGEST_ITEM = 500
GATES = frozenset({"i", "f", "o", "r", "z"})
"""Activations that lie between shut, 0, and open, 1."""
KEEPING = {"f": "forget gate", "z": "update gate"}
"""Gates that say how much of the past is kept; what they are called."""


@dataclass(frozen=True)
class TokenText:
    """A text by its tokens.

    Attributes:
        id_T: Ids, int64[T].
        pieces: What each of them reads as; nothing for the beginning of an item, a line break for
            its end.
        starts: Places at which items begin.
    """

    id_T: Int64
    pieces: tuple[str, ...]
    starts: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: StepModel, texts: Iterable[str], num_tokens: int) -> TokenText:
        """The first tokens of texts; of a model of items each text is one.

        Raises:
            ConfigError: There are fewer than two.
        """
        tokenizer = model.tokenizer
        special = tokenizer.special_ids
        are_items = special.start_before_prompt
        found: list[Int64] = []
        number = 0
        for part in tokenizer.encode_all(texts, are_items=are_items):
            found.append(part)
            number += len(part)
            if number >= num_tokens:
                break
        id_T = np.concatenate([np.zeros(0, np.int64), *found])[:num_tokens]
        if len(id_T) < 2:
            raise ConfigError("a text of fewer than two tokens shows nothing")
        names = {token: tokenizer.backend.decode([token]) for token in set(id_T.tolist())}
        if are_items:
            names |= {special.start: ""} | ({} if special.end is None else {special.end: "\n"})
        starts = np.flatnonzero(id_T == special.start).tolist() if are_items else ()
        return cls(id_T, tuple(names[token] for token in id_T.tolist()), tuple(starts))

    def __len__(self) -> int:
        return len(self.id_T)

    @cached_property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The characters of each token."""
        ends = np.cumsum([len(piece) for piece in self.pieces]).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def marks(self, detector: str) -> Float32:
        """What a detector finds at each token, float32[T]; in each item by itself."""
        items = np.split(np.arange(len(self)), self.starts)
        marks = [self._marks(detector, item) for item in items if len(item)]
        return np.concatenate(marks)

    def _marks(self, detector: str, item: Int64) -> Float32:
        first, last = self.spans[item[0]][0], self.spans[item[-1]][1]
        values = DETECTORS[detector](self.text[first:last])
        spans = [(self.spans[t][0] - first, self.spans[t][1] - first) for t in item]
        return by_token(values, spans)

    def part(self, start: int, num_tokens: int) -> TokenText:
        """Some of its tokens."""
        end = start + num_tokens
        starts = tuple(each - start for each in self.starts if start <= each < end)
        return TokenText(self.id_T[start:end], self.pieces[start:end], starts)


class Inside:
    """A published model that tells what it computes.

    Args:
        model: The model.
        artifact: The version that it is of.

    Raises:
        PublishError: The table of its gates is damaged.
    """

    def __init__(self, model: StepModel, artifact: Artifact) -> None:
        self.model = model
        try:
            activations = activations_of(artifact, model.graph)
        except ArtifactError as error:
            raise PublishError(str(error)) from error
        self._recorder = Recorder(model.graph, model.state_names, activations)
        self.widths = self._recorder.widths

    def read(self, id_T: Int64, names: Collection[str]) -> Iterator[Recorded]:
        """Some activations, a few tokens at a time; see `Recorder.read`."""
        return self._recorder.read(id_T, names)

    def of_kind(self, kinds: Collection[str]) -> list[str]:
        """Activations `layer<n>.<kind>`, from the input upward."""
        return sorted(name for name in self.widths if name.rpartition(".")[2] in kinds)


def written_by(model: StepModel, num_tokens: int, sampling: Sampling) -> list[str]:
    """What a model writes from nothing: a text of its own, or as many items as it takes."""
    if not model.tokenizer.special_ids.start_before_prompt:
        return model.write("", num_tokens, [sampling])
    texts: list[str] = []
    seed = sampling.seed
    while sum(map(len, texts)) < num_tokens:
        seeds = range(seed, seed + _MOST_ITEMS_AT_ONCE)
        samplings = [sampling.model_copy(update={"seed": each}) for each in seeds]
        texts += model.write("", _LONGEST_ITEM, samplings)
        seed += _MOST_ITEMS_AT_ONCE
    return texts
