"""The text: where it comes from, what is done to it, what its tokens are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from training.config.encoding_names import python_name
from training.config.globs import Globs
from training.config.places import require_place
from training.config.section import Section

ItemKind = Literal["lines", "paragraphs", "files", "documents"]


class CorpusConfig(Section):
    """Where the text comes from: exactly one of `name` and `path`."""

    name: str | None = None
    """A corpus of the registry in `training/corpora/named.py`."""
    path: str | None = None
    """A file or a folder; relative paths are relative to the config file."""
    format: Literal["text", "jsonl", "csv", "wet", "ptb", "wikitext"] = "text"
    """Text, JSON lines or an array, a table (CSV, TSV), Common Crawl's text of pages (these also
    packed with gzip, bzip2, xz or zstd), or a folder in the layout of Penn Treebank
    (`ptb.train.txt` ...) or WikiText (`wiki.train.tokens` ...)."""
    glob: Globs = ()
    """Of a folder: which files count, in patterns like `**/*.py`; else those with the usual endings
    of the format."""
    encoding: Annotated[str, AfterValidator(python_name)] = "utf-8"
    """By Python's or iconv's name; whatever it is, a byte order mark of UTF-16 or UTF-32 counts."""
    errors: Literal["strict", "replace", "skip"] = "strict"
    """Bytes that are no character are refused, become U+FFFD, or are left out; and are counted."""
    allow_nul: bool = False
    """U+0000 is a character like others, and no sign that this is not a text."""
    items: ItemKind | None = None
    """Of what each is a text by itself, that the model learns to begin and to end."""
    text_field: str = "text"
    """Of JSON: the field that holds the text, or a chat; of one that lies deeper, names with dots
    between them (`message.text`). Of tables: the column."""
    quoted: bool = True
    """Of tables: whether fields in quotation marks may hold delimiters and line ends. If not,
    quotation marks are characters like others."""
    languages: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Of WET: only pages whose first language is one of these (ISO 639-3)."""
    min_characters: Annotated[int, Field(ge=0)] = 0
    """Of documents (JSON, tables, WET): shorter ones are left out."""
    max_characters: PositiveInt | None = None
    """Of documents: longer ones are left out."""
    shuffled: bool = False
    """Items in a fixed random order; they are then held in memory."""
    held_out: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """The part that is not trained on."""
    held_out_by: Literal["end", "files", "items"] = "end"
    """Which part that is: the end of the text, whole files of a folder, or items (documents) that
    are drawn by their checksums. Of the last two, equal ones are always in the same part."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.name is None) == (self.path is None):
            raise ValueError("give exactly one of 'name' and 'path'")
        if self.path is not None:
            require_place(self.path)
        if self.name is not None:
            for option in sorted(self.chosen - {"name", "held_out"}):
                raise ValueError(f"{option!r} goes with 'path': a named corpus has its own")
        self._check_items()
        for option, formats in _OPTIONS_OF_FORMATS.items():
            if option in self.chosen and self.format not in formats:
                raise ValueError(f"{option!r} does not go with format {self.format!r}")
        return self

    def _check_items(self) -> None:
        allowed = {
            "text": ("lines", "paragraphs", "files"),
            **dict.fromkeys(_OF_DOCUMENTS, ("documents",)),
        }
        if self.items is not None and self.items not in allowed.get(self.format, ()):
            raise ValueError(f"items = {self.items!r} does not go with format {self.format!r}")
        if self.shuffled and self.items is None:
            raise ValueError("'shuffled' needs 'items': what should be put into another order?")
        if self.held_out_by == "items" and self.items is None and self.format == "text":
            raise ValueError("held_out_by = 'items' needs 'items': what should be drawn?")
        if self.held_out_by == "files" and self.shuffled:
            raise ValueError("held_out_by = 'files' does not go with 'shuffled': files are whole")


_OF_DOCUMENTS = ("jsonl", "csv", "wet")
_OPTIONS_OF_FORMATS = {
    "encoding": ("text", "jsonl", "csv", "ptb", "wikitext"),
    "errors": ("text", "jsonl", "csv", "ptb", "wikitext"),
    "glob": ("text", *_OF_DOCUMENTS),
    "text_field": ("jsonl", "csv"),
    "quoted": ("csv",),
    "languages": ("wet",),
    "min_characters": _OF_DOCUMENTS,
    "max_characters": _OF_DOCUMENTS,
    "held_out": ("text", *_OF_DOCUMENTS),
    "held_out_by": ("text", *_OF_DOCUMENTS),
}
"""The last two come in parts, and are text; pages are in UTF-8, as Common Crawl wrote them."""


class CleaningConfig(Section):
    """What is done to the text first, besides newlines for all line ends and no byte order marks.

    The server does the same to prompts and stop strings, but for `simplified_chinese`.
    """

    unicode: Literal["NFC", "NFKC"] | None = None
    """Unicode normalisation (Unicode Standard Annex 15)."""
    simplified_chinese: bool = False
    """Traditional characters become simplified ones (OpenCC)."""
    lowercase: bool = False


class TokenizerConfig(Section):
    """What a token is."""

    kind: Literal["character", "byte", "word", "bpe"] = "character"
    min_count: PositiveInt = 1
    """Of characters and words: rarer ones are unknown."""
    max_size: Annotated[int, Field(ge=3, le=1 << 20)] | None = None
    """Of characters and words: only the most frequent, the unknown one included."""
    split_punctuation: bool = True
    """Of words: punctuation marks are words of their own. Not for texts that are split already."""
    vocabulary_size: Annotated[int, Field(ge=258, le=1 << 20)] = 4096
    """Of byte pairs."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kinds = {
            "min_count": ("character", "word"),
            "max_size": ("character", "word"),
            "split_punctuation": ("word",),
            "vocabulary_size": ("bpe",),
        }
        for option in sorted(self.chosen & kinds.keys()):
            if self.kind not in kinds[option]:
                raise ValueError(f"{option!r} is not for kind {self.kind!r}")
        return self
