"""What is done to a text: one cleaning for every format."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from service.artifacts.cleaning import Cleaner, Cleaning
from tests.training.corpora.test_load import json_lines, load, wet_file, whole
from training.config.files import parse_config
from training.config.text import CleaningConfig
from training.corpora import plain
from training.corpora.cleaning import recorded
from training.corpora.load import load_corpus
from training.runs.run_folder import new_identity


@pytest.mark.parametrize("items", [None, "items"])
@pytest.mark.parametrize("text_format", ["text", "jsonl", "wet", "ptb"])
def test_lines_end_alike_in_every_format(
    tmp_path: Path, text_format: str, items: str | None
) -> None:
    """Windows', old Macs', and no byte order mark is left, at the beginning or between files."""
    record = "\ufeffone\r\ntwo\rthree\n\ufefffour"
    match text_format:
        case "text":
            path = tmp_path / "t.txt"
            path.write_text(f"{record}\r\r" * 300, encoding="utf-8", newline="")
        case "jsonl":
            path = json_lines(tmp_path / "t.jsonl", *[{"text": record + "\r\n"}] * 300)
        case "wet":
            path = wet_file(tmp_path / "t.warc.wet.gz", [(None, record + "\r")] * 300)
        case _:
            path = tmp_path
            for part in ("train", "valid", "test"):
                file = path / f"ptb.{part}.txt"
                file.write_text(f"{record}\r\r" * 100, encoding="utf-8", newline="")
    kind = {"text": "paragraphs", "ptb": None}.get(text_format, "documents") if items else None
    corpus = load(path, format=text_format, items=kind)
    text = whole(corpus)
    assert set(text) <= set("onetwthrfu\n")
    if kind is None:
        assert "one\ntwo\nthree\nfour\n\n" * (200 if text_format == "ptb" else 300) == text
    else:
        end = "" if text_format == "text" else "\n"
        assert ["one\ntwo\nthree\nfour" + end] * 300 == [*corpus.train, *corpus.validation]


RECORD = (
    "\ufeffOne\r\nﬁn\rE\u0301t\ufeffE\u0301 \r\ufeff\n"
    "I\u0307 \u1112\u1161\u11ab Å\u212b\nend \r\r\n\ufeff"
)
"""Line ends, marks between their halves and inside of letters, forms, a case of two characters."""
FORMATS = [
    ("text", None),
    ("text", "lines"),
    ("text", "paragraphs"),
    ("jsonl", None),
    ("jsonl", "documents"),
    ("wet", None),
    ("wet", "documents"),
    ("ptb", None),
    ("wikitext", None),
]


def in_format(folder: Path, text_format: str, record: str) -> Path:
    """The record 300 times, or in each of three files."""
    layouts = {"ptb": ("ptb", "txt"), "wikitext": ("wiki", "tokens")}
    if text_format in layouts:
        stem, ending = layouts[text_format]
        for part in ("train", "valid", "test"):
            file = folder / f"{stem}.{part}.{ending}"
            file.write_text(record * 100, encoding="utf-8", newline="")
        return folder
    path = folder / "t"
    match text_format:
        case "jsonl":
            return json_lines(path, *[{"text": record}] * 300)
        case "wet":
            return wet_file(path, [(None, record)] * 300)
        case _:
            path.write_text(record * 300, encoding="utf-8", newline="")
            return path


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("form", [None, "NFC", "NFKC"])
@pytest.mark.parametrize(("text_format", "items"), FORMATS)
def test_every_format_is_cleaned_alike_and_as_it_is_recorded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text_format: str,
    items: str | None,
    form: Literal["NFC", "NFKC"] | None,
    lowercase: bool,
    piece: int,
) -> None:
    """What a run's tokenizer says was done gives the same, by the server's own function."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    path = in_format(tmp_path, text_format, RECORD)
    cleaning = CleaningConfig(unicode=form, lowercase=lowercase)
    corpus = load(path, cleaning, format=text_format, items=items)
    clean = Cleaner(recorded(cleaning))
    cleaned = clean(RECORD)
    found = whole(corpus) + (corpus.test.read() if corpus.test else "")
    if items is None:
        end = "\n\n" if text_format in ("jsonl", "wet") else ""
        one = cleaned.rstrip("\n") + end if end else cleaned
        times = 200 if text_format in ("ptb", "wikitext") else 300
        assert found == one * (times + (100 if corpus.test else 0))
    elif items == "lines":
        assert found == cleaned.replace("\n", "") * 300
    else:
        wanted = cleaned.rstrip("\n") if text_format == "text" else cleaned
        assert [*corpus.train, *corpus.validation] == [wanted] * 300


@pytest.mark.parametrize(
    ("letter", "size"), [("e\u0301", 2), ("\u1112\u1161\u11ab", 3), ("a\u0328\u0301", 3)]
)
@pytest.mark.parametrize("longest", range(40, 52))
def test_a_long_line_is_not_cut_inside_of_a_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, letter: str, size: int, longest: int
) -> None:
    """Its pieces give what the whole line gives."""
    monkeypatch.setattr(plain, "PIECE_BYTES", 7)
    monkeypatch.setattr(plain, "_LONGEST_LINE", longest)
    path = tmp_path / "t.txt"
    text = letter * 5_000
    path.write_text(text, encoding="utf-8")
    corpus = load(path, CleaningConfig(unicode="NFC"))
    assert whole(corpus) == unicodedata.normalize("NFC", text)


def test_words_of_a_long_line_are_not_cut_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are spaces."""
    monkeypatch.setattr(plain, "PIECE_BYTES", 13)
    monkeypatch.setattr(plain, "_LONGEST_LINE", 40)
    path = tmp_path / "t.txt"
    path.write_text("seven words and some in one line " * 200, encoding="utf-8")
    pieces = list(plain.read_pieces(path))
    assert len(pieces) > 50
    assert {piece[0] for piece in pieces[1:]} == {" "}
    assert "".join(pieces) == "seven words and some in one line " * 200


@pytest.mark.parametrize("text_format", ["text", "jsonl", "wet", "ptb", "wikitext"])
def test_the_cleaning_is_recorded_in_the_run(tmp_path: Path, text_format: str) -> None:
    """From where it comes into the manifest, and from there to prompts and stops."""
    path = in_format(tmp_path, text_format, RECORD * 3)
    table = {
        "name": "m",
        "corpus": {"path": str(path), "format": text_format},
        "cleaning": {"unicode": "NFC", "lowercase": True},
    }
    config = parse_config(table, source="test")
    identity = new_identity(config, load_corpus(config.corpus, cleaning=config.cleaning))
    wanted = Cleaning(unicode="NFC", lower_case=True)
    assert identity.tokenizer.cleaning == wanted
    assert (wanted.line_ends, wanted.byte_order_marks) == ("\n", "removed")
    as_typed = identity.tokenizer.prompt_ids(RECORD).tolist()
    assert as_typed == identity.tokenizer.prompt_ids(Cleaner(wanted)(RECORD)).tolist()
    assert identity.special_ids.unknown not in as_typed


@pytest.mark.parametrize(
    ("cleaning", "wanted"),
    [
        ({}, "ﬁn É e\u0301 漢語 头发\n"),
        ({"unicode": "NFC"}, "ﬁn É é 漢語 头发\n"),
        ({"unicode": "NFKC"}, "fin É é 漢語 头发\n"),
        ({"lowercase": True}, "ﬁn é e\u0301 漢語 头发\n"),
        ({"simplified_chinese": True}, "ﬁn É e\u0301 汉语 头发\n"),
        ({"unicode": "NFKC", "lowercase": True, "simplified_chinese": True}, "fin é é 汉语 头发\n"),
    ],
)
def test_only_what_is_asked_for_is_cleaned(
    tmp_path: Path, cleaning: dict[str, object], wanted: str
) -> None:
    """Nothing by default."""
    path = tmp_path / "t.txt"
    path.write_text("ﬁn É e\u0301 漢語 头发\n" * 500, encoding="utf-8")
    corpus = load(path, CleaningConfig.model_validate(cleaning))
    assert whole(corpus) == wanted * 500
