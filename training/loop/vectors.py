"""Word vectors that others have trained, as the beginning of an embedding.

| format | layout |
|---|---|
| `glove` | a line for each word: the word, then its numbers (Pennington et al. 2014) |
| `word2vec` | the same after a line with their number and width (Mikolov et al. 2013, arXiv:1301.3781) |
| `fasttext` | as `word2vec`: the `.vec` files (Bojanowski et al. 2017, arXiv:1607.04606) |
| `word2vec-binary` | that line, then each word, a space, and its numbers as little-endian float32 |

Only the words of the model's vocabulary are kept, so a file may be larger than the memory. It may
be packed (gzip, bzip2, xz, zstd, a zip of one file). Damaged rows are left out and counted.
"""  # noqa: E501

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import torch
from numpy.typing import NDArray

from training.config.model import VectorsConfig
from training.config.paths import path_of
from training.corpora.signatures import HEAD_BYTES
from training.errors import CorpusError
from training.loop.vector_files import opened_vectors
from training.loop.vector_rows import (
    AGAIN,
    Row,
    RowCount,
    binary_rows,
    read_header,
    text_rows,
)
from training.models.embedding import TokenEmbedding
from training.runs.checkpoints import RunIdentity
from training.tokenization.tokenizer import TextTokenizer

_LONGEST_HEADER = 1000


@dataclass(frozen=True)
class Vectors:
    """Vectors of some of a vocabulary's tokens.

    Attributes:
        by_id: float32[E] each.
        vocabulary_size: Of all tokens.
        num_lowered: How many tokens have the vector of their word in lower case only.
        report: What was read from the file and what was left out, in lines.
    """

    by_id: dict[int, NDArray[np.float32]]
    vocabulary_size: int
    num_lowered: int = 0
    report: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """The part of the vocabulary that has a vector."""
        return len(self.by_id) / self.vocabulary_size

    def lines(self) -> tuple[str, ...]:
        """What a person should know of them."""
        lower = f", {self.num_lowered:,} of them in lower case only" if self.num_lowered else ""
        used = (
            f"word vectors: {len(self.by_id):,} of {self.vocabulary_size:,} tokens "
            f"({self.coverage:.1%}) begin with one of the file's{lower}"
        )
        return *self.report, used

    def write_into(self, embedding: TokenEmbedding) -> None:
        """Give tokens their vectors; the others get random ones, of the same mean and spread."""
        ids = sorted(self.by_id)
        known_NE = torch.from_numpy(np.stack([self.by_id[token] for token in ids]))
        spread, mean = torch.std_mean(known_NE, correction=1 if known_NE.numel() > 1 else 0)
        with torch.no_grad():
            weight_VE = embedding.weight
            weight_VE.normal_(float(mean), float(spread))
            weight_VE[ids] = known_NE


def vectors_of(identity: RunIdentity) -> Vectors | None:
    """What a new run's embedding begins with; None if its config has no `[vectors]`.

    Raises:
        CorpusError: see `load_vectors`.
    """
    config = identity.config
    if config.vectors is None:
        return None
    return load_vectors(config.vectors, identity.tokenizer, config.model.embedding_size)


def load_vectors(config: VectorsConfig, tokenizer: TextTokenizer, size: int) -> Vectors:
    """Read the vectors of the vocabulary's tokens; of a word that comes twice the first.

    A token is looked up as it is, without the space before it, and then in lower case.

    Args:
        config: Where, and in which format.
        tokenizer: Whose tokens.
        size: Width that the model's embedding has.

    Raises:
        CorpusError: the file cannot be read, is damaged, of another width, or knows no token.
    """
    path = path_of(config.path)
    wanted = _wanted(tokenizer)
    exact: dict[int, NDArray[np.float32]] = {}
    lowered: dict[int, NDArray[np.float32]] = {}
    place = "word" if config.format == "word2vec-binary" else "line"
    count = RowCount()
    found: set[str] = set()
    try:
        with opened_vectors(path) as file:
            for word, vector_E in _rows(file, config, size, wanted, count):
                if word in found:
                    count.leave_out(AGAIN, count.line)
                found.add(word)
                for token_id, is_exact in wanted[word]:
                    (exact if is_exact else lowered).setdefault(token_id, vector_E)
        if not count.num_rows:
            raise ValueError(count.ending or "it is empty: no row is in it")
        count.require_mostly_good(place)
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read vectors {path}: {error}") from error
    if not exact and not lowered:
        raise CorpusError(
            f"vectors {path} know none of the {tokenizer.vocabulary_size} tokens: "
            f"{count.num_rows:,} rows were read; are they of this language, and of words?"
        )
    num_lowered = len(lowered.keys() - exact.keys())
    return Vectors(lowered | exact, tokenizer.vocabulary_size, num_lowered, _report(count, place))


def _report(count: RowCount, place: str) -> tuple[str, ...]:
    """What was read and what was not, for people."""
    lines = [f"word vectors: {count.num_rows:,} rows read"]
    if count.left_out:
        lines.append(f"word vectors: left out: {count.reasons(place)}")
    if count.ending is not None:
        lines.append(f"note: word vectors: {count.ending}")
    return tuple(lines)


def _wanted(tokenizer: TextTokenizer) -> dict[str, list[tuple[int, bool]]]:
    """Word -> the tokens that want its vector, and whether the word is theirs exactly."""
    wanted: dict[str, list[tuple[int, bool]]] = {}
    for token, token_id in tokenizer.backend.get_vocab(with_added_tokens=False).items():
        word = token.removeprefix(" ")
        wanted.setdefault(word, []).append((token_id, True))
        if word.lower() != word:
            wanted.setdefault(word.lower(), []).append((token_id, False))
    return wanted


def _rows(
    file: BinaryIO, config: VectorsConfig, size: int, wanted: Container[str], count: RowCount
) -> Iterator[Row]:
    if config.format == "glove":
        _refuse_binary(file, has_header=False)
        yield from text_rows(file, size, None, wanted, count)
        return
    line = file.readline(_LONGEST_HEADER)
    if not line.strip():
        raise ValueError("it is empty, or begins with an empty line")
    header = read_header(line)
    if header is None:
        raise ValueError(
            "its first line is not the number of words and their width; "
            'if it is a word and its numbers, say format = "glove"'
        )
    num_words, width = header
    if width != size:
        raise ValueError(
            f"its vectors have {width} numbers, model.embedding_size is {size}: "
            f"set embedding_size = {width} or take another file"
        )
    if config.format != "word2vec-binary":
        _refuse_binary(file, has_header=True)
        yield from text_rows(file, size, num_words, wanted, count)
        return
    if _is_text_row(_head(file), size):
        raise ValueError('its rows are lines of text: say format = "word2vec"')
    yield from binary_rows(file, num_words, size, wanted, count)


def _head(file: BinaryIO) -> bytes:
    """What comes next, without reading on."""
    return cast("io.BufferedReader", file).peek(HEAD_BYTES)[:HEAD_BYTES]


def _refuse_binary(file: BinaryIO, *, has_header: bool) -> None:
    """Refuse numbers that are not written in figures."""
    head = _head(file)
    if b"\0" not in head:
        return
    if has_header or read_header(head.partition(b"\n")[0]) is not None:
        raise ValueError('its numbers are not text: say format = "word2vec-binary"')
    raise ValueError("it is no text, and not in the format word2vec-binary either")


def _is_text_row(head: bytes, size: int) -> bool:
    line, end, _ = head.partition(b"\n")
    if b"\0" in line or (not end and len(head) < HEAD_BYTES):
        return False
    return all(_is_float(part) for part in line.split()[1 : min(size, 8) + 1]) and b" " in line


def _is_float(part: bytes) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True
