"""Tokenizers of every kind of decoder, small: what their ids read as depends on what is beside."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as HuggingFaceTokenizer

from service.artifacts.tokenizer import Tokenizer

_BYTES = [f"<0x{n:02X}>" for n in range(256)]
_WORDS = ["▁a", "▁", "b", "▁b▁", "中", "�", " ", "\n", "", "aba", "ab", "##b", "##", ".", "n't"]
_LINES = ["\n", " a", " b", " ", "  ", "\n ", " \n", "a\n", "中", " <unk>"]
_SUFFIXES = ["a</w>", "b</w>", "c", "�</w>", "中</w>", ",</w>"]
_AUDIO = ["<pad>", "|", "a", "b", "n't", "'"]


def _of_words(decoder: decoders.Decoder | None, words: list[str]) -> HuggingFaceTokenizer:
    vocabulary = {word: n for n, word in enumerate(words)}
    inner = HuggingFaceTokenizer(models.WordLevel(vocabulary, unk_token=words[0]))
    if decoder is not None:
        inner.decoder = decoder
    inner.add_tokens([AddedToken("▁added")])
    inner.add_special_tokens([AddedToken("<special>")])
    return inner


def signs(data: bytes) -> str:
    """How byte-level tokenizers write bytes."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(0x100) if byte not in seen]
    return "".join(chr(byte if byte in seen else 0x100 + unseen.index(byte)) for byte in data)


def _byte_level() -> HuggingFaceTokenizer:
    """All bytes, parts of characters put together in ways that training would, and odd tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    whole, half = "中🙂".encode(), "中🙂".encode()[1:5]
    parts = [whole[:3], whole[:2], whole[2:4], half, whole[3:5], whole[5:], "�".encode(), b" a"]
    words = [signs(part) for part in [*parts, b"a\xe4", b"\xadb", b"\xed\xa0"]]
    return _of_words(decoders.ByteLevel(), [*alphabet, *words, "", "é b", "中"])


def _sequence(*steps: decoders.Decoder) -> decoders.Decoder:
    return decoders.Sequence(list(steps))


# Kinds that the library decodes as a whole just as piece by piece.
EXACT = {
    "characters": lambda: _of_words(decoders.Fuse(), [*"�ab \n中🙂\u0301"]),
    "lines": lambda: _of_words(_sequence(decoders.Fuse(), decoders.Replace("\n ", "\n")), _LINES),
    "byte level": _byte_level,
    "no decoder": lambda: _of_words(None, _WORDS),
    "no step": lambda: _of_words(_sequence(), _WORDS),
    "metaspace": lambda: _of_words(decoders.Metaspace(), _WORDS),
    "metaspace, never": lambda: _of_words(decoders.Metaspace(prepend_scheme="never"), _WORDS),
    "word pieces": lambda: _of_words(decoders.WordPiece(), _WORDS),
    "replace and strip": lambda: _of_words(
        _sequence(decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 2, 0)), _WORDS
    ),
    "replace in the whole": lambda: _of_words(
        _sequence(decoders.Fuse(), decoders.Replace("aba", "abXY"), decoders.Replace("bb", "")),
        _WORDS,
    ),
    "replace broken ones": lambda: _of_words(
        _sequence(decoders.ByteLevel(), decoders.Replace("�a", "?"), decoders.Replace("b�", "b")),
        [*signs(b"abc" + "中🙂�".encode()[:-1]), signs("中".encode() + b"\xe4")],
    ),
    "suffixes": lambda: _of_words(decoders.BPEDecoder(), _SUFFIXES),
    "audio": lambda: _of_words(decoders.CTC(), _AUDIO),
    "expression in the whole": lambda: _of_words(
        _sequence(decoders.Fuse(), decoders.Replace(Regex(r"[▁\n]"), " ")), _WORDS
    ),
}
# The library breaks whole characters in bytes beside a broken one.
BYTE_FALLBACK = {
    "byte fallback": lambda: _of_words(
        _sequence(
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ),
        [*_WORDS, *_BYTES],
    ),
    "byte fallback, metaspace": lambda: _of_words(
        _sequence(decoders.ByteFallback(), decoders.Metaspace()), [*_WORDS, *_BYTES]
    ),
}
ALL = {**EXACT, **BYTE_FALLBACK}


@cache
def hugging_face(kind: str) -> HuggingFaceTokenizer:
    """The library's tokenizer of a kind."""
    return ALL[kind]()


@cache
def tokenizer(kind: str) -> Tokenizer:
    """As the service reads it."""
    inner = hugging_face(kind)
    content = inner.to_str().encode()
    return Tokenizer(Path("tokenizer.json"), content, inner.get_vocab_size(with_added_tokens=True))
