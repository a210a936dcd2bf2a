"""Word vectors that others have trained, as the beginning of an embedding.

| format | layout |
|---|---|
| `glove` | a line for each word: the word, then its numbers (Pennington et al. 2014) |
| `word2vec` | the same after a line with their number and width (Mikolov et al. 2013, arXiv:1301.3781) |
| `fasttext` | as `word2vec`: the `.vec` files (Bojanowski et al. 2017, arXiv:1607.04606) |
| `word2vec-binary` | that line, then each word, a space, and its numbers as little-endian float32 |

Only the words of the model's vocabulary are kept, so a file may be larger than the memory.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from training.config.model import VectorsConfig
from training.errors import CorpusError
from training.models.embedding import TokenEmbedding
from training.runs.checkpoints import RunIdentity
from training.tokenization.tokenizer import TextTokenizer

_LONGEST_WORD = 10_000
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Vectors:
    """Vectors of some of a vocabulary's tokens.

    Attributes:
        by_id: float32[E] each.
        vocabulary_size: Of all tokens.
    """

    by_id: dict[int, NDArray[np.float32]]
    vocabulary_size: int

    @property
    def coverage(self) -> float:
        """The part of the vocabulary that has a vector."""
        return len(self.by_id) / self.vocabulary_size

    def write_into(self, embedding: TokenEmbedding) -> None:
        """Give tokens their vectors; the others get random ones, of the same mean and spread."""
        ids = sorted(self.by_id)
        known_NE = torch.from_numpy(np.stack([self.by_id[token] for token in ids]))
        spread, mean = torch.std_mean(known_NE)
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
    path = Path(config.path)
    wanted = _wanted(tokenizer)
    exact: dict[int, NDArray[np.float32]] = {}
    lowered: dict[int, NDArray[np.float32]] = {}
    try:
        with path.open("rb") as file:
            for word, vector_E in _read(file, config, size, wanted):
                for token_id, is_exact in wanted[word]:
                    (exact if is_exact else lowered).setdefault(token_id, vector_E)
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read vectors {path}: {error}") from error
    if not exact and not lowered:
        raise CorpusError(f"vectors {path} know none of the {tokenizer.vocabulary_size} tokens")
    return Vectors(lowered | exact, tokenizer.vocabulary_size)


def _wanted(tokenizer: TextTokenizer) -> dict[str, list[tuple[int, bool]]]:
    """Word -> the tokens that want its vector, and whether the word is theirs exactly."""
    wanted: dict[str, list[tuple[int, bool]]] = {}
    for token, token_id in tokenizer.backend.get_vocab(with_added_tokens=False).items():
        word = token.removeprefix(" ")
        wanted.setdefault(word, []).append((token_id, True))
        if word.lower() != word:
            wanted.setdefault(word.lower(), []).append((token_id, False))
    return wanted


def _read(
    file: BinaryIO, config: VectorsConfig, size: int, wanted: dict[str, list[tuple[int, bool]]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    if config.format != "glove":
        header = file.readline(_LONGEST_LINE).split()
        if len(header) != 2 or not all(part.isdigit() for part in header):
            raise ValueError("its first line is not the number of words and their width")
        num_words, width = map(int, header)
        if width != size:
            raise ValueError(f"its vectors have {width} numbers, model.embedding_size is {size}")
    if config.format == "word2vec-binary":
        yield from _read_binary(file, num_words, size, wanted)
        return
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=1):
        # From the right: a few words of GloVe hold spaces themselves.
        parts = line.rstrip().rsplit(b" ", size)
        word = parts[0].decode("utf-8", errors="replace")
        if len(parts) != size + 1:
            raise ValueError(f"word {number}, {word[:40]!r}, has not {size} numbers")
        if word in wanted:
            yield word, _checked(np.array(parts[1:], np.float32), word)


def _read_binary(
    file: BinaryIO, num_words: int, size: int, wanted: dict[str, list[tuple[int, bool]]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number in range(1, num_words + 1):
        name = bytearray()
        while (sign := file.read(1)) != b" ":
            if not sign or len(name) > _LONGEST_WORD:
                raise ValueError(f"it ends or is damaged at word {number} of {num_words}")
            name += sign
        content = file.read(4 * size)
        if len(content) != 4 * size:
            raise ValueError(f"it ends in word {number} of {num_words}")
        # Some writers end each vector with a line end.
        word = name.lstrip(b"\n").decode("utf-8", errors="replace")
        if word in wanted:
            yield word, _checked(np.frombuffer(content, "<f4").astype(np.float32), word)


def _checked(vector_E: NDArray[np.float32], word: str) -> NDArray[np.float32]:
    if not np.isfinite(vector_E).all():
        raise ValueError(f"the vector of {word!r} holds what is no number")
    return vector_E
