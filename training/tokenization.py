"""Characters as tokens, written as a Hugging Face `tokenizer.json`.

The service reads the same file with the same library, so text and ids cannot mean different
things on the two sides. A character is one Unicode code point: letters, Chinese characters,
newlines and emoji alike.

A character that the training text does not hold reads as `<unk>`. It is the same id for all of
them, and it stands for "some character": see `unknown_rate` in the config. `<unk>` is no *special*
token for the library, so the five characters `<unk>` in a prompt are just five characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from training.errors import CheckpointError

UNKNOWN = "<unk>"


@dataclass(frozen=True)
class CharacterTokenizer:
    """A tokenizer of single characters and the ids that mean something special."""

    backend: Tokenizer
    unknown_id: int
    start_id: int
    """Fed first when a fresh text has an empty prompt."""

    @classmethod
    def from_text(cls, text: str) -> CharacterTokenizer:
        """Collect the vocabulary of a training text, in code point order after `<unk>`."""
        vocabulary = {UNKNOWN: 0}
        for character in sorted(set(text)):
            vocabulary[character] = len(vocabulary)
        backend = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNKNOWN))
        # "." would skip newlines; [\s\S] is every code point.
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        # Without a decoder the library joins tokens with spaces; Fuse joins them with nothing.
        backend.decoder = decoders.Fuse()
        start = "\n" if "\n" in vocabulary else text[0]
        return cls(backend, vocabulary[UNKNOWN], vocabulary[start])

    @classmethod
    def from_json(cls, serialized: str, start_id: int) -> CharacterTokenizer:
        """Inverse of `to_json`, with the start id that was stored beside it."""
        try:
            backend = Tokenizer.from_str(serialized)
        except Exception as error:  # the library raises bare Exception
            raise CheckpointError(f"the stored tokenizer cannot be read: {error}") from error
        unknown_id = backend.token_to_id(UNKNOWN)
        if unknown_id is None:
            raise CheckpointError(f"the stored tokenizer has no {UNKNOWN}")
        return cls(backend, unknown_id, start_id)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, `<unk>` included."""
        return int(self.backend.get_vocab_size())

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return str(self.backend.to_str(pretty=True))

    def encode(self, text: str) -> NDArray[np.int64]:
        """Ids of a text, int64[len(text)]."""
        # The library's Encoding keeps offsets and strings per token: about 200 bytes a character.
        # A megabyte at a time keeps that bounded for large corpora.
        piece = 1 << 20
        parts = [
            np.asarray(self.backend.encode(text[start : start + piece]).ids, dtype=np.int64)
            for start in range(0, len(text), piece)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def decode(self, ids: list[int]) -> str:
        """Text of a list of ids."""
        return str(self.backend.decode(ids, skip_special_tokens=False))
