"""A tokenizer and the ids that mean something, for training.

The service reads the same `tokenizer.json` with the same library, so text and ids cannot mean
different things on the two sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from service.artifacts.cleaning import Cleaner, Cleaning
from service.artifacts.manifest import SpecialIds
from training.errors import CheckpointError

_PIECE_CHARACTERS = 1 << 17
_PIECES_AT_ONCE = 8


@dataclass(frozen=True)
class TextTokenizer:
    """Text to ids and back.

    Attributes:
        backend: The library's.
        special_ids: Ids that mean something.
        cleaning: What was done to the texts; it is done to prompts too.
    """

    backend: Tokenizer
    special_ids: SpecialIds
    cleaning: Cleaning

    def __post_init__(self) -> None:
        """Whatever is typed is text, also if it reads like a special token."""
        self.backend.encode_special_tokens = True

    @classmethod
    def from_json(
        cls, serialized: str, special_ids: SpecialIds, cleaning: Cleaning
    ) -> TextTokenizer:
        """Inverse of `to_json`, with what was stored beside it."""
        try:
            return cls(Tokenizer.from_str(serialized), special_ids, cleaning)
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(f"the stored tokenizer cannot be read: {error}") from error

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, special ones included."""
        return int(self.backend.get_vocab_size())

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return str(self.backend.to_str(pretty=True))

    def encode(self, text: str) -> NDArray[np.int64]:
        """Ids of a cleaned text, int64[N]; special tokens written in it are just text."""
        return np.concatenate([np.zeros(0, np.int64), *self._encoded(text)])

    def prompt_ids(self, prompt: str) -> NDArray[np.int64]:
        """What is read at the beginning of a text before it is written on, int64[T], T >= 1."""
        ids = self.encode(Cleaner(self.cleaning)(prompt))
        return np.array(self.special_ids.opening(ids.tolist()))

    def encode_all(self, texts: Iterable[str], *, are_items: bool) -> Iterator[NDArray[np.int64]]:
        """Ids of texts that follow each other; items each between start and end.

        Of words and byte pairs, a text that ends in the middle of one gives half a word: that
        happens once, where a plain text is cut in two (`corpora/load.py`).
        """
        ids = self.special_ids
        for text in texts:
            if are_items:
                yield np.array([ids.start])
            yield from self._encoded(text)
            if are_items:
                yield np.array([ids.end])

    def decode(self, ids: list[int]) -> str:
        """Text of a list of ids; start and end leave no trace."""
        return str(self.backend.decode(ids, skip_special_tokens=True))

    def _encoded(self, text: str) -> Iterator[NDArray[np.int64]]:
        lookup = self._lookup()
        if lookup is not None:
            yield lookup[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)]
            return
        # The library's Encoding keeps about 200 bytes per token: a megabyte at a time, and in
        # pieces at once, of which the library runs several in parallel.
        pieces: list[str] = []
        for piece in _pieces(text):
            pieces.append(piece)
            if len(pieces) == _PIECES_AT_ONCE:
                yield from self._by_the_library(pieces)
                pieces = []
        yield from self._by_the_library(pieces)

    def _by_the_library(self, pieces: list[str]) -> Iterator[NDArray[np.int64]]:
        # Without offsets, which nobody needs here.
        for encoding in self.backend.encode_batch_fast(pieces, add_special_tokens=False):
            yield np.asarray(encoding.ids, dtype=np.int64)

    def _lookup(self) -> NDArray[np.int64] | None:
        """For characters: the id of each code point. A hundred times faster than the library."""
        cached: NDArray[np.int64] | None = self.__dict__.get("_ids_of_code_points")
        if cached is not None or not self._is_of_characters():
            return cached
        lookup = np.full(0x110000, self.special_ids.unknown, np.int64)
        for token, token_id in self.backend.get_vocab(with_added_tokens=False).items():
            if len(token) == 1:
                lookup[ord(token)] = token_id
        self.__dict__["_ids_of_code_points"] = lookup
        return lookup

    def _is_of_characters(self) -> bool:
        model = self.backend.model
        if not isinstance(model, models.WordLevel) or self.backend.normalizer is not None:
            return False
        tokens = self.backend.get_vocab(with_added_tokens=False)
        return all(len(token) == 1 or token == model.unk_token for token in tokens)


def _pieces(text: str) -> Iterator[str]:
    """Cut where a line ends, if one does."""
    start = 0
    while start < len(text):
        end = start + _PIECE_CHARACTERS
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or end
        yield text[start:end]
        start = end
