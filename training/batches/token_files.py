"""Ids of a corpus in files that are mapped into memory: a corpus may be larger than that.

    <run folder>/tokens/train.u16  validation.u16  ...  made_from.json

The ending says how wide an id is. The files can be made again at any time; they are, when they were
made from another text or by another tokenizer.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora.corpus import Corpus, HeldOutPart, Texts
from training.disk import cannot_write, whole_file
from training.errors import CorpusError, DiskError
from training.tokenization.tokenizer import TextTokenizer
from training.waiting import SILENT, Waiting

Ids = NDArray[np.uint16] | NDArray[np.uint32] | NDArray[np.int64]
"""Of one part of a corpus, in order."""

NOTE = "made_from.json"
"""Of what the files beside it were made."""


class TokenFiles:
    """The ids of a corpus, each part made when it is first asked for.

    Args:
        folder: Where they are kept.
        corpus: Of which text.
        tokenizer: By what.
        min_held_out: Tokens that a part must have so that its losses can be measured.
        waiting: Shows how far the writing is.
    """

    def __init__(
        self,
        folder: Path,
        corpus: Corpus,
        tokenizer: TextTokenizer,
        *,
        min_held_out: int,
        waiting: Waiting = SILENT,
    ) -> None:
        self._waiting = waiting
        self._min_held_out = min_held_out
        self._folder = folder
        self._corpus = corpus
        self._tokenizer = tokenizer
        self._type = np.uint16 if tokenizer.vocabulary_size <= 1 << 16 else np.uint32

    @property
    def train(self) -> Ids:
        """What is trained on."""
        return self._part("train", self._corpus.train)

    @property
    def validation(self) -> Ids:
        """What is held out and looked at while training.

        Raises:
            CorpusError: this or the test part is too short for the figures to be published.
        """
        # The test part too: told now, not when a long training is over.
        if self._corpus.test is not None:
            self._long_enough("test")
        return self._long_enough("validation")

    def make(self) -> None:
        """Write what is not there, of all parts.

        Raises:
            CorpusError: a part is too short.
        """
        assert len(self.train)
        assert len(self.validation)

    def held_out(self, part: HeldOutPart) -> Ids:
        """The validation text, or the one that is held out for the end.

        Raises:
            CorpusError: the corpus has no such part.
        """
        return self._part(part, self._corpus.held_out(part))

    def _long_enough(self, part: HeldOutPart) -> Ids:
        ids = self.held_out(part)
        if len(ids) < self._min_held_out:
            is_cut_off = self._corpus.test is None
            cure = "text, or a larger corpus.held_out" if is_cut_off else f"{part} text"
            raise CorpusError(
                f"the {part} part of {self._corpus.name} has {len(ids)} tokens; at least "
                f"{self._min_held_out} are needed to measure a model: take a longer {cure}"
            )
        return ids

    def _part(self, name: str, texts: Texts) -> Ids:
        path = self._folder / f"{name}.u{8 * np.dtype(self._type).itemsize}"
        if not path.exists() or not self._is_of_this_text():
            self._write(name, path, texts)
        if path.stat().st_size == 0:
            raise CorpusError(f"the {name} part of {self._corpus.name} has no tokens")
        return np.memmap(path, self._type, mode="r")

    def _write(self, name: str, path: Path, texts: Texts) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._is_of_this_text():
                for old in self._folder.iterdir():
                    old.unlink()
                (self._folder / NOTE).write_text(self._note(), encoding="utf-8")
        except OSError as error:
            raise DiskError(cannot_write(error, path)) from error
        # At most a token for each character.
        with (
            whole_file(path, texts.num_characters * np.dtype(self._type).itemsize) as file,
            self._waiting.during(f"tokens of the {name} part", texts.num_characters) as work,
        ):
            read = work.over(texts)
            for ids in self._tokenizer.encode_all(read, are_items=self._corpus.has_items):
                file.write(ids.astype(self._type).tobytes())

    def _is_of_this_text(self) -> bool:
        note = self._folder / NOTE
        return note.exists() and note.read_text(encoding="utf-8") == self._note()

    def _note(self) -> str:
        tokenizer = hashlib.sha256(self._tokenizer.to_json().encode()).hexdigest()
        parts = [self._corpus.train.num_characters, self._corpus.validation.num_characters]
        made_from = {"text": self._corpus.sha256, "characters": parts, "tokenizer": tokenizer}
        return json.dumps(made_from | {"items": self._corpus.has_items}) + "\n"
