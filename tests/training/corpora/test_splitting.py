"""What is held out is said, and so is what of it is trained on too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.documented import documented
from training.config.files import checked
from training.config.text import CorpusConfig
from training.corpora import overlap as overlaps
from training.corpora.corpus import Corpus
from training.corpora.load import load_corpus
from training.corpora.overlap import overlap
from training.errors import ConfigError, CorpusError


def load(path: Path, **options: object) -> Corpus:
    """A user's own text."""
    return load_corpus(CorpusConfig.model_validate({"path": str(path), **options}))


def items(folder: Path, kind: str, num_different: int, num: int = 1_000) -> Path:
    """A file or folder of items, in turn."""
    texts = [f"item {n % num_different} of some" for n in range(num)]
    path = folder / "t"
    match kind:
        case "lines":
            path.write_text("\n".join(texts), encoding="utf-8")
        case "paragraphs":
            path.write_text("\n\n".join(texts), encoding="utf-8")
        case "documents":
            lines = (json.dumps({"text": text}) for text in texts)
            path.write_text("\n".join(lines), encoding="utf-8")
        case _:
            path.mkdir()
            for n, text in enumerate(texts):
                (path / f"{n}.txt").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["lines", "paragraphs", "files", "documents"])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("num_different", [2, 7, 100])
def test_equal_items_can_be_kept_together(
    tmp_path: Path, kind: str, shuffled: bool, num_different: int
) -> None:
    """At the end all of them stand in both parts, and a run says so; drawn by checksum, none."""
    path = items(tmp_path, kind, num_different)
    options: dict[str, object] = {"items": kind, "shuffled": shuffled}
    if kind == "documents":
        options["format"] = "jsonl"
    at_end = overlap(load(path, **options))
    assert at_end.num_known == at_end.num_held_out >= 90
    assert documented("the figures flatter") in at_end.remark()
    assert f"of {at_end.num_held_out:,} {kind} " + documented("stand in the training part too") in (
        at_end.remark()
    )
    drawn = load(path, held_out_by="items", **options)
    apart = overlap(drawn)
    assert apart.num_known == 0 < apart.num_held_out
    assert "the figures flatter" not in apart.remark()
    assert drawn.num_characters == sum(map(len, [*drawn.train, *drawn.validation]))
    assert [*drawn.train] == [*load(path, held_out_by="items", **options).train]
    assert f"{kind} drawn by their checksums" in drawn.remarks[-1]


@pytest.mark.parametrize("kind", ["lines", "paragraphs", "documents"])
def test_one_item_many_times_cannot_be_held_out(tmp_path: Path, kind: str) -> None:
    """Nothing would be left to train on, or to measure."""
    options: dict[str, object] = {"items": kind, "held_out_by": "items"}
    if kind == "documents":
        options["format"] = "jsonl"
    path = items(tmp_path, kind, 1)
    with pytest.raises(CorpusError, match=documented("holds only one")):
        load(path, **options)


def test_equal_files_are_held_out_together(tmp_path: Path) -> None:
    """Whole files; those of equal content are in one part, and the part is named."""
    for n in range(30):
        text = "".join(
            f"file {n % 10}, line {k}, long enough to be looked for\n" for k in range(50)
        )
        (tmp_path / f"{n:02}.txt").write_text(text, encoding="utf-8")
    at_end = overlap(load(tmp_path))
    assert at_end.num_known == at_end.num_held_out > 0
    corpus = load(tmp_path, held_out_by="files")
    assert overlap(corpus).num_known == 0 < overlap(corpus).num_held_out
    assert "3 of 30 files (" in corpus.remarks[-1]
    assert corpus.num_characters == load(tmp_path).num_characters
    assert "20 files found twice" in corpus.remarks[1]


@pytest.mark.parametrize("num_copies", [1, 2])
def test_files_to_hold_out_must_differ(tmp_path: Path, num_copies: int) -> None:
    """One file, or the same twice, has no other."""
    for n in range(num_copies):
        (tmp_path / f"{n}.txt").write_text("some words\n" * 900, encoding="utf-8")
    with pytest.raises(CorpusError, match=documented("needs at least two different files")):
        load(tmp_path, held_out_by="files")


def test_the_end_is_named(tmp_path: Path) -> None:
    """Of a file, and of a folder's last files."""
    (tmp_path / "x.txt").write_text("words\n" * 1_000, encoding="utf-8")
    said = documented("held out: 600 of 6,000 characters (10.0%), the end of x.txt")
    assert load(tmp_path / "x.txt").remarks == (said,)
    for name in ("y.txt", "z.txt"):
        (tmp_path / name).write_text("w\n" * 50, encoding="utf-8")
    assert load(tmp_path).remarks[-1].endswith("the end of x.txt, and 2 files to z.txt")


def test_lines_are_counted_and_many_are_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound on what is remembered, and the sample is said; what is found is about the same."""
    lines = [f"line {n % 1_500} that is long enough to be looked for" for n in range(2_000)]
    (tmp_path / "t.txt").write_text("\n".join(lines), encoding="utf-8")
    corpus = load(tmp_path / "t.txt", held_out=0.5)
    whole = overlap(corpus)
    assert (whole.num_known, whole.one_in) == (500, 1)
    monkeypatch.setattr(overlaps, "MOST_UNITS", 100)
    sample = overlap(corpus)
    assert sample.one_in >= 8
    assert f"(a sample, one in {sample.one_in})" in sample.remark()
    assert sample.share == pytest.approx(whole.share, abs=0.2)


def test_short_lines_are_not_looked_for(tmp_path: Path) -> None:
    """They stand twice in any text."""
    (tmp_path / "t.txt").write_text("short\n" * 900, encoding="utf-8")
    remark = overlap(load(tmp_path / "t.txt")).remark()
    assert documented("nothing was looked for in the training part") in remark


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out_by": "items"}, "held_out_by = 'items' needs 'items'"),
        ({"held_out_by": "files", "items": "lines", "shuffled": True}, "does not go with 'shuff"),
        ({"held_out_by": "files", "format": "ptb"}, "does not go with format 'ptb'"),
        ({"glob": "*.py", "format": "ptb"}, "does not go with format 'ptb'"),
        ({"quoted": False}, "does not go with format 'text'"),
        ({"text_field": "x", "format": "wet"}, "does not go with format 'wet'"),
        ({"glob": "../*.py"}, "is no pattern of names below the folder"),
        ({"glob": "/a/*.py"}, "is no pattern of names below the folder"),
        ({"glob": ["*.py", ""]}, "is no pattern of names below the folder"),
        ({"glob": ".git/*"}, "and hidden parts of a folder are left out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: dict[str, object], message: str
) -> None:
    """Never silently ignored."""
    with pytest.raises(ConfigError, match=message):
        checked(CorpusConfig, {"path": "t", **options}, "c.toml")
