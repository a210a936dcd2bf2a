"""Texts in all layouts: read in pieces, cleaned, split, and clearly refused."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config.files import parse_config
from training.config.text import CleaningConfig, CorpusConfig
from training.corpora import plain
from training.corpora.corpus import Corpus, Texts
from training.corpora.load import at_path, load_corpus
from training.errors import ConfigError, CorpusError


def load(path: Path, cleaning: CleaningConfig | None = None, **options: object) -> Corpus:
    """A user's own text."""
    config = CorpusConfig.model_validate({"path": str(path), **options})
    return load_corpus(config, cleaning=cleaning)


def whole(corpus: Corpus) -> str:
    """Both parts."""
    return corpus.train.read() + corpus.validation.read()


def test_first_nine_tenths_are_trained_on(tmp_path: Path) -> None:
    """No character is lost, and the cut is where nanoGPT cuts: int(0.9 n)."""
    text = "".join(chr(ord("a") + i % 26) for i in range(5_005))
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    corpus = load(tmp_path / "t.txt")
    assert len(corpus.train.read()) == corpus.train.num_characters == 4_504
    assert whole(corpus) == text
    assert corpus.num_characters == 5_005
    assert corpus.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert load(tmp_path / "t.txt", held_out=0.5).train.num_characters == 2_502


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
def test_pieces_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """Wherever a piece ends: in a character, in a line end, in a byte order mark."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    (tmp_path / "t.txt").write_bytes(
        b"\xef\xbb\xbf" + "line é 漢👩\r\n\rx\n\ufeff\r".encode() * 500
    )
    assert whole(load(tmp_path / "t.txt")) == "line é 漢👩\n\nx\n\n" * 500


def test_pieces_are_whole_lines_unless_a_line_has_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are never cut at a piece's end; memory is bounded all the same."""
    monkeypatch.setattr(plain, "PIECE_BYTES", 50)
    path = tmp_path / "t.txt"
    path.write_text("some words in a line\n" * 50, encoding="utf-8")
    pieces = list(plain.read_pieces(path))
    assert len(pieces) > 10
    assert all(piece.endswith("\n") for piece in pieces)
    monkeypatch.setattr(plain, "_LONGEST_LINE", 120)
    path.write_text("x" * 1_000, encoding="utf-8")
    pieces = list(plain.read_pieces(path))
    assert "".join(pieces) == "x" * 1_000
    assert max(map(len, pieces)) < 200


@given(st.lists(st.text(max_size=5), max_size=8), st.integers(0, 20), st.integers(0, 20))
def test_a_part_is_a_slice(records: list[str], start: int, length: int) -> None:
    """And can be read again and again."""
    text = "".join(records)
    part = Texts(lambda: iter(records), min(start, len(text)), min(start + length, len(text)))
    assert part.read() == part.read() == text[start : start + length]
    assert part.num_characters == len(part.read())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"too short", "9 characters long; training needs at least 4000"),
        (b"x" * 5_000 + b"\xff" + b"x", "byte 0xff at offset 5000"),
        ("caf\u00e9 ".encode("latin-1") * 1_000, "byte 0xe9 at offset 3"),
        (b"x" * 5_000 + b"\xe6\xbc", "byte 0xe6 at offset 5000"),
    ],
)
@pytest.mark.parametrize("piece", [3, 1 << 20])
def test_unusable_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, complaint: str, piece: int
) -> None:
    """The message names the file and the reason, and the right place."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=complaint) as refusal:
        load(path)
    assert "bad.txt" in str(refusal.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """And an empty folder is not a text."""
    with pytest.raises(CorpusError, match=r"none\.txt: No such file"):
        load(tmp_path / "none.txt")
    with pytest.raises(CorpusError, match="holds no file of format 'text': it is empty"):
        load(tmp_path)


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    """Each begins on a line of its own; what has another ending stays out."""
    for name, text in {"b.txt": "bee " * 700, "a.txt": "a line\n" * 500, "c.png": "no"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "e.txt.gz").write_bytes(gzip.compress(b"deep\n"))
    corpus = load(tmp_path)
    assert whole(corpus) == "a line\n" * 500 + "bee " * 700 + "\ndeep\n"
    (tmp_path / "b.txt").write_text("boo " * 700, encoding="utf-8")
    assert load(tmp_path).sha256 != corpus.sha256


def test_items_are_lines_or_paragraphs(tmp_path: Path) -> None:
    """The split falls between two of them."""
    path = tmp_path / "t.txt"
    path.write_text("first line\nsecond\n\n \nnext one\n\n" * 300, encoding="utf-8")
    poems = load(path, items="paragraphs")
    assert poems.has_items
    assert list(poems.train)[:2] == ["first line\nsecond", "next one"]
    assert list(poems.validation)[-1] == "next one"
    assert len(list(poems.train)) + len(list(poems.validation)) == 600
    lines = load(path, items="lines")
    assert set(lines.train) >= {"first line", "second", "next one"}
    assert "" not in set(lines.train)


def json_lines(path: Path, *records: object) -> Path:
    """Written out."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_json_lines(tmp_path: Path) -> None:
    """Documents of the right length, whole, with a blank line after each."""
    texts = [f"document {n}\nwith two lines" for n in range(300)]
    records = [{"body": text, "n": 1} for text in texts]
    path = json_lines(tmp_path / "t.jsonl", *records, {"body": "short"}, {"body": "x" * 999})
    options: dict[str, Any] = {"format": "jsonl", "text_field": "body"}
    lengths: dict[str, Any] = {"min_characters": 10, "max_characters": 100}
    corpus = load(path, **options, **lengths)
    assert whole(corpus) == "".join(text + "\n\n" for text in texts)
    assert corpus.train.read().endswith("\n\n")
    items = load(path, **options, **lengths, items="documents")
    assert [*items.train, *items.validation] == texts
    assert "short" in whole(load(path, **options))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: the last line ends in the middle"),
        ("{]", "line 2 is not JSON"),
        ('{"texts": "x"}', r"line 2 has no text in the field 'text' \(corpus\.text_field\)"),
        ('{"text": 5}', "line 2 has no text"),
        ("[]", "line 2 has no text"),
    ],
)
def test_bad_json_lines_are_named(tmp_path: Path, line: str, complaint: str) -> None:
    """By number."""
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"text": "{"fine " * 1000}"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=complaint):
        load(path, format="jsonl")


def wet_file(path: Path, pages: Sequence[tuple[str | None, str]]) -> Path:
    """Languages and texts, as Common Crawl writes them: each record compressed by itself."""
    records: list[tuple[str, str | None, str]] = [("warcinfo", None, "Software: these tests\r\n")]
    records += [("conversion", language, text) for language, text in pages]
    with path.open("wb") as file:
        for number, (kind, language, text) in enumerate(records):
            head = [
                "WARC/1.0",
                f"WARC-Type: {kind}",
                f"WARC-Target-URI: http://example.org/{number}",
                "WARC-Date: 2024-02-20T20:20:20Z",
                f"WARC-Record-ID: <urn:uuid:12345678-0000-0000-0000-{number:012}>",
                "Content-Type: text/plain",
                f"Content-Length: {len(text.encode())}",
            ]
            if language is not None:
                head.append(f"WARC-Identified-Content-Language: {language}")
            record = "\r\n".join([*head, "", text, "", ""])
            file.write(gzip.compress(record.encode()))
    return path


def test_common_crawl(tmp_path: Path) -> None:
    """Pages by their first language, of the right length."""
    pages: list[tuple[str | None, str]] = [
        ("eng", "An English page.\n" * 20),
        ("deu,eng", "Eine Seite.\n" * 20),
    ]
    pages += [(None, "Who knows.\n" * 20), ("eng,fra", "short"), ("zho", "一页中文。\n" * 40)]
    path = wet_file(tmp_path / "p.warc.wet.gz", pages * 20)
    english = load(path, format="wet", languages=["eng"], min_characters=10)
    assert set(whole(english).split("\n")) == {"An English page.", ""}
    both = load(path, format="wet", languages=["eng", "zho"])
    assert {"short", "一页中文。"} <= set(whole(both).split("\n"))
    assert "Eine Seite." not in whole(both)
    assert "Who knows." in whole(load(path, format="wet"))


@pytest.mark.parametrize(
    "spoil", [lambda b: b[: len(b) // 2], lambda _: b"not a warc file"], ids=["cut off", "text"]
)
def test_damaged_common_crawl_is_named(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    """Rather than trained on in part."""
    path = wet_file(tmp_path / "p.warc.wet.gz", [("eng", "A page of text. " * 1000)])
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CorpusError, match=r"p\.warc\.wet\.gz"):
        load(path, format="wet")


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("ptb", ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")),
        ("wikitext", ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens")),
    ],
)
def test_corpora_in_three_files(tmp_path: Path, layout: str, names: tuple[str, ...]) -> None:
    """The parts are as given; a missing one is named."""
    for part, name in enumerate(names):
        (tmp_path / name).write_text(f" part {part} <unk> \n" * 9, encoding="utf-8")
    corpus = load(tmp_path, format=layout)
    assert corpus.test is not None
    found = [corpus.train.read(), corpus.validation.read(), corpus.test.read()]
    assert found == [f" part {part} <unk> \n" * 9 for part in range(3)]
    (tmp_path / names[1]).unlink()
    with pytest.raises(CorpusError, match=names[1]):
        load(tmp_path, format=layout)


def test_a_corpus_that_was_moved_is_read_the_same_way(tmp_path: Path) -> None:
    """By name or by path."""
    here = CorpusConfig(path="a.jsonl", format="jsonl", text_field="t")
    assert at_path(here, tmp_path) == here.model_copy(update={"path": str(tmp_path)})
    names = at_path(CorpusConfig(name="names"), tmp_path)
    assert (names.items, names.shuffled, names.path) == ("lines", True, str(tmp_path))


@pytest.mark.parametrize(
    ("corpus", "complaint"),
    [
        ({"path": "t", "items": "documents"}, "items = 'documents' does not go with format 'text'"),
        ({"path": "t", "format": "ptb", "items": "lines"}, "does not go with format 'ptb'"),
        ({"path": "t", "shuffled": True}, "'shuffled' needs 'items'"),
        ({"path": "t", "languages": ["eng"]}, "'languages' does not go with format 'text'"),
        ({"path": "t", "min_characters": 5}, "'min_characters' does not go with format 'text'"),
        ({"path": "t", "format": "wikitext", "held_out": 0.5}, "'held_out' does not go with"),
        ({"name": "names", "format": "jsonl"}, "'format' goes with 'path'"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    corpus: dict[str, object], complaint: str
) -> None:
    """By name."""
    with pytest.raises(ConfigError, match=complaint):
        parse_config({"name": "m", "corpus": corpus}, source="test")
