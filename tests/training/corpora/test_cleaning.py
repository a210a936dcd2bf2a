"""What is done to a text: one cleaning for every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.corpora.test_load import json_lines, load, wet_file, whole
from training.config.text import CleaningConfig


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
