"""Texts that cannot be used, and the ones that only look alike: told by name."""

from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from training.config.text import CorpusConfig
from training.corpora import plain
from training.corpora.corpus import Corpus
from training.corpora.load import load_corpus
from training.errors import CorpusError


def load(path: Path, **options: object) -> Corpus:
    """A user's own text."""
    config = CorpusConfig.model_validate({"path": str(path), **options})
    return load_corpus(config)


def in_the_middle(content: bytes) -> bytes:
    """Some bytes are others."""
    middle = len(content) // 2
    return content[:middle] + bytes(255 - b for b in content[middle : middle + 9]) + content[-9:]


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[: len(b) // 2], in_the_middle, lambda b: b[:-8] + b"8 bytes."],
    ids=["cut off", "in the middle", "checksum"],
)
@pytest.mark.parametrize(("ending", "text_format"), [("txt", "text"), ("jsonl", "jsonl")])
def test_damaged_gzip_is_named(
    tmp_path: Path, ending: str, text_format: str, spoil: Callable[[bytes], bytes]
) -> None:
    """Rather than trained on in part."""
    path = tmp_path / f"t.{ending}.gz"
    lines = "".join(json.dumps({"text": f"number {n} of many"}) + "\n" for n in range(2_000))
    path.write_bytes(spoil(gzip.compress(lines.encode())))
    with pytest.raises(CorpusError, match=rf"cannot read text .*t\.{ending}\.gz"):
        load(path, format=text_format)


def test_half_a_character_in_json_is_named(tmp_path: Path) -> None:
    """No tokenizer could read it; a pair of halves is a character."""
    path = tmp_path / "t.jsonl"
    fine = json.dumps({"text": "\U0001f469" * 3_000}) + "\n"
    assert "\\ud83d\\udc69" in fine
    path.write_text(fine * 2, encoding="utf-8")
    assert "\U0001f469" in load(path, format="jsonl").train.read()
    path.write_text(fine * 2 + '{"text": "half \\ud83d"}\n', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"t\.jsonl, line 3 holds half a character: \\ud83d"):
        load(path, format="jsonl")


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"items": "lines"}, "line"),
        ({"items": "paragraphs"}, "paragraph"),
        ({"format": "jsonl"}, "document"),
        ({"format": "jsonl", "items": "documents"}, "document"),
    ],
)
def test_one_item_cannot_be_split(tmp_path: Path, options: dict[str, object], kind: str) -> None:
    """It is said what is missing; two are enough, whichever is the longer one."""
    path = tmp_path / "t.txt"
    long, short = "word " * 1_000, "short"
    separator = "\n\n"
    if "format" in options:
        long, short = (json.dumps({"text": text}) for text in (long, short))
        separator = "\n"
    path.write_text(long, encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"t\.txt holds only one {kind}; at least two are"):
        load(path, **options)
    for first, second in ((long, short), (short, long)):
        path.write_text(first + separator + second, encoding="utf-8")
        corpus = load(path, **options)
        longer_first = first is long
        found = (corpus.train.num_characters, corpus.validation.num_characters)
        assert longer_first == (found[0] > found[1])
        assert min(found) >= len("short")


def test_lengths_of_lines_are_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of them could be as large as the text: here 1.6 MB."""
    monkeypatch.setattr(plain, "PIECE_BYTES", 10_000)
    path = tmp_path / "t.txt"
    path.write_bytes(b"words\n" * 200_000)
    load(path, items="lines")
    tracemalloc.start()
    try:
        corpus = load(path, items="lines")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 5 * 180_000 == corpus.train.num_characters
    assert peak_bytes < 800_000


def test_files_are_known_by_their_place_in_the_folder(tmp_path: Path) -> None:
    """Of two with the same name, each counts; the folder itself may be moved."""
    files = {name: tmp_path / "texts" / name / "x.txt" for name in ("a", "b")}
    for name, file in files.items():
        file.parent.mkdir(parents=True)
        file.write_text(f"{name} line\n" * 500, encoding="utf-8")
    before = load(tmp_path / "texts").sha256
    (tmp_path / "texts").rename(tmp_path / "moved")
    assert before == load(tmp_path / "moved").sha256
    (tmp_path / "moved" / "a" / "x.txt").write_text("c line\n" * 500, encoding="utf-8")
    assert before != load(tmp_path / "moved").sha256


def test_checksums_stay_what_they_were(tmp_path: Path) -> None:
    """Of a folder without folders: what `sha256sum *` prints; of a single file: its own."""
    content = {name: f"{name} line\n" * 500 for name in ("a.txt", "b.txt")}
    for name, text in content.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in content.items()}
    listing = "".join(f"{checksum}  {name}\n" for name, checksum in sums.items())
    assert hashlib.sha256(listing.encode()).hexdigest() == load(tmp_path).sha256
    (tmp_path / "b.txt").unlink()
    assert sums["a.txt"] == load(tmp_path).sha256 == load(tmp_path / "a.txt").sha256
