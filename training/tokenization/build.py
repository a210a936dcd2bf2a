"""Tokenizers of four kinds, made from the training text.

| kind | a token is | what is not in the vocabulary |
|---|---|---|
| character | one Unicode code point: letters, Chinese characters, newlines alike | `<unk>` |
| byte | one byte of UTF-8 | there is nothing |
| word | a word with the space before it, or a newline | ` <unk>` |
| bpe | a byte pair of byte pairs (Sennrich et al. 2016, arXiv:1508.07909) | there is nothing |

The sign for the unknown is no *special* token for the library: the five characters `<unk>` in a
prompt are five characters. (But in words it is a word like others: that is how Penn Treebank and
WikiText write it.) It stands for "some character": see `unknown_rate` in the config.

In a collection of items there are two more ids, `<start>` and `<end>`, which no text can contain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

from service.artifacts.cleaning import Cleaning
from service.artifacts.manifest import SpecialIds
from training.config.text import TokenizerConfig
from training.errors import CorpusError
from training.tokenization.byte_pairs import LONGEST_WORD, byte_pairs
from training.tokenization.counting import WordCounter, count_characters
from training.tokenization.tokenizer import TextTokenizer
from training.waiting import SILENT, Waiting

UNKNOWN = "<unk>"
UNKNOWN_WORD = " <unk>"
START, END = "<start>", "<end>"
# A word takes the space before it along, so that the texts of tokens need only be joined.
_WORDS = r"\n| ?\S+"
_WORDS_AND_PUNCTUATION = r"\n| ?\w+| ?[^\w\s]"
_MUCH = 0.1
_MOST_WORDS = 1_000_000
"""Different ones that are counted at a time."""
_MOST_WORD_CHARACTERS = 128_000_000


def build_tokenizer(
    config: TokenizerConfig,
    texts: Iterable[str],
    *,
    has_items: bool,
    cleaning: Cleaning | None = None,
    num_characters: int | None = None,
    waiting: Waiting = SILENT,
) -> TextTokenizer:
    """A tokenizer for the texts.

    Args:
        config: Which kind.
        texts: What it must be able to write; read once.
        has_items: Whether each of them is an item, with a start and an end.
        cleaning: What was done to the texts: prompts will be treated likewise.
        num_characters: How many the texts have, if that is known.
        waiting: Shows how far it is.

    Raises:
        CorpusError: there is no text.
    """
    unknown: str | None = None
    match config.kind:
        case "character":
            with waiting.during("counting characters", num_characters) as work:
                backend, unknown = _characters(config, work.over(texts)), UNKNOWN
        case "word":
            with waiting.during("counting words", num_characters) as work:
                marks_of_items = (START, END) if has_items else ()
                backend = _words(config, work.over(texts), marks_of_items, waiting)
            unknown = UNKNOWN_WORD
        case "byte":
            backend = _bytes()
        case "bpe":
            backend = byte_pairs(config.vocabulary_size, texts, num_characters, waiting)
    if has_items:
        marks = [AddedToken(mark, special=True, normalized=False) for mark in (START, END)]
        backend.add_special_tokens(marks)
    special_ids = _special_ids(backend, unknown, has_items=has_items)
    return TextTokenizer(backend, special_ids, cleaning or Cleaning())


def _characters(config: TokenizerConfig, texts: Iterable[str]) -> Tokenizer:
    """In the order of their code points, after `<unk>`."""
    counts = count_characters(texts)
    chosen = sorted(_frequent(counts, config))
    backend = Tokenizer(models.WordLevel(vocab=_numbered(UNKNOWN, chosen), unk_token=UNKNOWN))
    # "." would skip newlines; [\s\S] is every code point.
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    # Without a decoder the library joins tokens with spaces; Fuse joins them with nothing.
    backend.decoder = decoders.Fuse()
    return backend


def _words(
    config: TokenizerConfig, texts: Iterable[str], marks: Sequence[str], waiting: Waiting
) -> Tokenizer:
    """In the order of their frequency: that is what an adaptive softmax needs.

    The marks of items come first, for every item has them.
    """
    pattern = _WORDS_AND_PUNCTUATION if config.split_punctuation else _WORDS
    # A word at the beginning of a text or line is the same word as one after a space.
    normalizer = normalizers.Sequence(
        [
            normalizers.Prepend(" "),
            normalizers.Replace(Regex(r"[^\S\n]*\n[^\S\n]*"), "\n "),
            normalizers.Replace(Regex(r"[^\S\n]+"), " "),
        ]
    )
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)

    counter = WordCounter(_MOST_WORDS, _MOST_WORD_CHARACTERS, LONGEST_WORD)
    for text in texts:
        pieces = split.pre_tokenize_str(normalizer.normalize_str(text))
        counter.read([word for word, _ in pieces], len(text))
    _say_what_is_odd(counter, waiting)
    counts = counter.counts
    unknown = counts.pop(UNKNOWN_WORD, 0) + counter.num_forgotten
    chosen = _frequent(counts, config)
    unknown += counts.total() - sum(counts[word] for word in chosen)
    place = sum(counts[word] > unknown for word in chosen)
    order = [*marks, *chosen[:place], UNKNOWN_WORD, *chosen[place:]]
    vocabulary = {word: number for number, word in enumerate(order)}
    backend = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNKNOWN_WORD))
    backend.normalizer = normalizer
    backend.pre_tokenizer = split
    backend.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace("\n ", "\n")])
    return backend


def _say_what_is_odd(counter: WordCounter, waiting: Waiting) -> None:
    """A text without spaces is one word, which comes once; one of very many words is counted so."""
    share = counter.share_in_long()
    if share >= _MUCH:
        waiting.say(
            f"words: {share:.0%} of the text stands in words of more than {LONGEST_WORD} "
            'characters, which are hardly ever seen again: has it no spaces? kind = "bpe" or '
            '"character" in [tokenizer] goes with such a text'
        )
    if counter.short_by:
        waiting.say(
            f"words: there are more different ones than the {_MOST_WORDS:,} that are counted at a "
            f"time, and rare ones were forgotten: a count may be short by up to "
            f"{counter.short_by:,}. Frequent words are all there; max_size or min_count in "
            "[tokenizer] says how many of them become tokens"
        )


def _bytes() -> Tokenizer:
    """All 256, written as the characters that byte-level tokenizers write for them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(
        models.BPE(vocab={sign: number for number, sign in enumerate(alphabet)}, merges=[])
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return backend


def _frequent(counts: Counter[str], config: TokenizerConfig) -> list[str]:
    """The most frequent first; equals in their own order."""
    if not counts:
        raise CorpusError("the training text holds nothing to make tokens of")
    enough = [token for token, count in counts.items() if count >= config.min_count]
    enough.sort(key=lambda token: (-counts[token], token))
    return enough if config.max_size is None else enough[: config.max_size - 1]


def _numbered(unknown: str, tokens: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate([unknown, *tokens])}


def _special_ids(backend: Tokenizer, unknown: str | None, *, has_items: bool) -> SpecialIds:
    unknown_id = None if unknown is None else backend.token_to_id(unknown)
    if has_items:
        return SpecialIds(
            start=backend.token_to_id(START),
            end=backend.token_to_id(END),
            unknown=unknown_id,
            start_before_prompt=True,
        )
    # A text that goes on without end begins after the end of a line, or after whatever there is.
    newline = backend.encode("\n", add_special_tokens=False).ids
    start = newline[0] if newline and newline[0] != unknown_id else int(unknown_id == 0)
    return SpecialIds(start=start, unknown=unknown_id)
