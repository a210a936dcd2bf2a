r"""Byte pairs (Sennrich et al. 2016, arXiv:1508.07909), in bounded time and memory.

Pairs are joined within words only, in a time that grows with the square of a word's length: and a
text without spaces is one word. So words are cut after every 64 characters, and the pairs are
learned from a sample of a long text. The cut is a part of `tokenizer.json`: prompts are cut alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.waiting import SILENT, Waiting, Work

LONGEST_WORD = 64
"""Characters."""
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2's; as in the library's ByteLevel, which leaves no place for a cut after it."""
_CHUNK_CHARACTERS = 1 << 16
_MOST_CHUNKS = 256
"""The sample has half of them or more: 8 to 16 million characters."""
_MOST_BYTES = 4_000_000
"""Of different words: about 10 s and 500 MB for the library, whatever the text."""

_Chunk = list[str]
"""Texts, or a part of one."""


def byte_pairs(
    vocabulary_size: int,
    texts: Iterable[str],
    num_characters: int | None = None,
    waiting: Waiting = SILENT,
) -> Tokenizer:
    """Learned from the texts, or from a sample from all over them; what is done is said.

    Args:
        vocabulary_size: At most so many ids.
        texts: Read once.
        num_characters: How many they have, if that is known.
        waiting: Who is told of a sample and of cuts.
    """
    words = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.Split(Regex(rf"[\s\S]{{1,{LONGEST_WORD}}}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = words
    backend.decoder = decoders.ByteLevel()
    with waiting.during("reading for byte pairs", num_characters) as work:
        chunks, num_read = _evenly(_chunks(work.over(texts)))
    with waiting.during("looking at words", _size(chunks)) as work:
        sample, share_cut = _sample(chunks, words, work)
    num_sampled = _size(sample)
    if num_sampled < num_read:
        waiting.say(
            f"byte pairs: learned from a sample of {num_sampled:,} of {num_read:,} characters, "
            "from all over the text"
        )
    if share_cut >= 0.01:
        waiting.say(
            f"byte pairs: {share_cut:.0%} of the text stands in words of more than {LONGEST_WORD} "
            f"characters; these are cut after every {LONGEST_WORD}, here and in prompts"
        )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    with waiting.during("joining byte pairs"):
        backend.train_from_iterator((text for chunk in sample for text in chunk), trainer)
    return backend


def _chunks(texts: Iterable[str]) -> Iterator[_Chunk]:
    """All of the texts, in pieces of about the same length."""
    chunk: _Chunk = []
    length = 0
    for text in texts:
        for part in _parts(text):
            chunk.append(part)
            length += len(part)
            if length >= _CHUNK_CHARACTERS // 2:
                yield chunk
                chunk, length = [], 0
    if chunk:
        yield chunk


def _parts(text: str) -> Iterator[str]:
    """Of a long text; cut where a line or at least a word ends, if there is such a place."""
    start = 0
    while len(text) - start > _CHUNK_CHARACTERS:
        stop = start + _CHUNK_CHARACTERS
        end = text.rfind("\n", start, stop) + 1 or text.rfind(" ", start + 1, stop)
        end = end if end > start else stop
        yield text[start:end]
        start = end
    yield text[start:]


def _evenly(chunks: Iterable[_Chunk]) -> tuple[list[_Chunk], int]:
    """Some from all over, and how many characters there are in all."""
    kept: list[_Chunk] = []
    every, num_characters = 1, 0
    for number, chunk in enumerate(chunks):
        num_characters += _size([chunk])
        if number % every == 0:
            kept.append(chunk)
        if len(kept) > _MOST_CHUNKS:
            kept, every = kept[::2], every * 2
    return kept, num_characters


def _sample(
    chunks: list[_Chunk], words: pre_tokenizers.PreTokenizer, work: Work
) -> tuple[list[_Chunk], float]:
    """As many as the library has time for, and the share of them that is cut."""
    # In an order in which any beginning is from all over the text; the same every time.
    shuffled = random.Random(0).sample(chunks, len(chunks))
    known: set[str] = set()
    num_bytes = in_cut = size = 0
    for number, chunk in enumerate(shuffled):
        for text in work.over(chunk):
            end_of_long = -1
            for word, (start, end) in words.pre_tokenize_str(text):
                if word not in known:
                    known.add(word)
                    num_bytes += len(word)  # the library writes a sign for each byte
                if end - start == LONGEST_WORD:
                    in_cut += LONGEST_WORD
                    end_of_long = end
                elif start == end_of_long:
                    in_cut += end - start
            size += len(text)
        if num_bytes > _MOST_BYTES:
            return shuffled[: number + 1], in_cut / size
    return shuffled, in_cut / max(size, 1)


def _size(chunks: Iterable[_Chunk]) -> int:
    return sum(len(text) for chunk in chunks for text in chunk)
