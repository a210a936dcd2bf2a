"""Common Crawl's archives: damaged ones are refused by number and reason, odd pages are counted."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from pathlib import Path

import pytest

from tests.training.documented import documented
from training.config.text import CorpusConfig
from training.corpora.corpus import Corpus
from training.corpora.load import load_corpus
from training.errors import CorpusError


def archive(num_pages: int = 300, *, nul: int | None = None, is_packed: bool = True) -> bytes:
    """Pages in English and German, one perhaps with a NUL."""
    records = []
    for n in range(num_pages):
        text = f"page {n} with some words\n" + ("\0" if n == nul else "")
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://x/{n}\r\n"
            f"WARC-Identified-Content-Language: {('eng', 'deu,eng')[n % 2]}\r\n"
            f"Content-Length: {len(text)}\r\n\r\n"
        )
        record = f"{head}{text}\r\n\r\n".encode()
        records.append(gzip.compress(record) if is_packed else record)
    return b"".join(records)


def load(folder: Path, content: bytes, **options: object) -> Corpus:
    """A user's own archive."""
    path = folder / "t.warc.wet.gz"
    path.write_bytes(content)
    return load_corpus(CorpusConfig.model_validate({"path": str(path), "format": "wet", **options}))


@pytest.mark.parametrize("packing", ["none", "gzip", "bz2", "lzma"])
def test_archives_are_read_however_they_are_packed(tmp_path: Path, packing: str) -> None:
    """All at once, record by record as the crawl does it, or not at all."""
    content = archive(is_packed=False)
    match packing:
        case "gzip":
            content = gzip.compress(content)
        case "bz2":
            content = bz2.compress(content)
        case "lzma":
            content = lzma.compress(content)
    assert load(tmp_path, content).num_characters == load(tmp_path, archive()).num_characters


def test_a_page_with_a_nul_is_left_out(tmp_path: Path) -> None:
    """One page does not refuse a whole archive; it is counted, and can be let in."""
    corpus = load(tmp_path, archive(nul=7))
    assert "page 7 " not in corpus.train.read()
    assert "1 " + documented("with NUL characters (U+0000)") in str(corpus.remarks)
    assert "page 7 " in load(tmp_path, archive(nul=7), allow_nul=True).train.read()


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.777, 0.9])
@pytest.mark.parametrize("offset", range(3))
def test_archives_that_are_cut_off_are_refused(
    tmp_path: Path, is_packed: bool, share: float, offset: int
) -> None:
    """Wherever: in a record's head, in its text, in what it is packed with."""
    content = archive(is_packed=is_packed)
    with pytest.raises(CorpusError, match=r"(after record|record) \d+"):
        load(tmp_path, content[: int(len(content) * share) + 5 * offset])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it holds no record"),
        (b"only a text\n" * 900, "as WET, after record 0: what follows is no WARC record"),
        (archive(is_packed=False)[:-12], "is damaged: it has 17 of 25 bytes"),
        (
            archive(is_packed=False).replace(b"Content-Length: 2", b"Content-Length: x"),
            "what follows is no WARC record",
        ),
    ],
)
def test_damaged_archives_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    """With what is wrong."""
    with pytest.raises(CorpusError, match=re.escape(message)):
        load(tmp_path, content)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"languages": ["spa"]}, "300 in other languages (eng 150, deu 150)"),
        ({"min_characters": 1_000}, "300 shorter than 1,000 characters"),
        ({"max_characters": 5}, "300 longer than 5 characters"),
    ],
)
def test_filters_that_leave_nothing_are_named(
    tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    """With how many pages each of them took away."""
    with pytest.raises(CorpusError, match=documented("has no document that is left")) as refused:
        load(tmp_path, archive(), **options)
    assert reason in str(refused.value)
