"""Texts: found, verified, decoded, split, and clearly refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from training import corpora
from training.config import CorpusConfig
from training.corpora import NamedCorpus, load_corpus
from training.errors import CorpusError


def load(path: Path) -> corpora.Corpus:
    """A user's own file."""
    return load_corpus(CorpusConfig(path=str(path)), path.parent)


def register(
    monkeypatch: pytest.MonkeyPatch, content: bytes, url: str | None = None, **fields: object
) -> None:
    """Make `content` the named corpus "little"."""
    named = NamedCorpus(
        name="little",
        file="little.txt",
        source="these tests",
        url=url,
        sha256=hashlib.sha256(content).hexdigest(),
        licence="public domain",
        **fields,  # type: ignore[arg-type]
    )
    monkeypatch.setitem(corpora.NAMED_CORPORA, "little", named)


def test_first_nine_tenths_are_trained_on(tmp_path: Path) -> None:
    """No character is lost, and the cut is where nanoGPT cuts: int(0.9 n)."""
    text = "".join(chr(ord("a") + i % 26) for i in range(5_005))
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    corpus = load(tmp_path / "t.txt")
    assert len(corpus.train_text) == 4_504
    assert corpus.train_text + corpus.validation_text == text
    assert corpus.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_byte_order_mark_and_windows_line_ends_vanish(tmp_path: Path) -> None:
    """They would become characters that no prompt ever holds."""
    (tmp_path / "t.txt").write_bytes(b"\xef\xbb\xbf" + b"line\r\n" * 1_000)
    corpus = load(tmp_path / "t.txt")
    assert corpus.train_text + corpus.validation_text == "line\n" * 1_000


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"too short", "9 characters long; training needs at least 4000"),
        (b"x" * 5_000 + b"\xff" + b"x", "byte 0xff at offset 5000"),
        ("caf\u00e9 ".encode("latin-1") * 1_000, "byte 0xe9 at offset 3"),
    ],
)
def test_unusable_text_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    """The message names the file and the reason."""
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=complaint) as refusal:
        load(path)
    assert "bad.txt" in str(refusal.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """And a folder is not a text."""
    with pytest.raises(CorpusError, match=r"none\.txt: No such file"):
        load(tmp_path / "none.txt")
    with pytest.raises(CorpusError, match="Is a directory"):
        load(tmp_path)


def test_unknown_name_lists_the_known(tmp_path: Path) -> None:
    """A misspelt corpus is told what there is."""
    with pytest.raises(CorpusError, match=r"'tinyshakspeare'; known: .*tinyshakespeare"):
        load_corpus(CorpusConfig(name="tinyshakspeare"), tmp_path)


def test_named_corpus_is_found_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any download: its url is unusable."""
    content = b"some words\n" * 500
    register(monkeypatch, content, url="http://127.0.0.1:9/none")
    (tmp_path / "little.txt").write_bytes(content)
    corpus = load_corpus(CorpusConfig(name="little"), tmp_path)
    assert corpus.num_characters == len(content)
    assert corpus.licence == "public domain"


def test_named_corpus_with_another_checksum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's edited copy would give other figures."""
    register(monkeypatch, b"some words\n" * 500)
    (tmp_path / "little.txt").write_bytes(b"same words\n" * 500)
    with pytest.raises(CorpusError, match="is not the corpus 'little': its sha256 is"):
        load_corpus(CorpusConfig(name="little"), tmp_path)


def test_named_corpus_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched, verified, kept under its name and nothing else beside it."""
    content = b"some words\n" * 500
    source = tmp_path / "source.txt"
    source.write_bytes(content)
    register(monkeypatch, content, url=source.as_uri())
    data = tmp_path / "data"
    load_corpus(CorpusConfig(name="little"), data)
    source.unlink()
    load_corpus(CorpusConfig(name="little"), data)
    assert [path.name for path in data.iterdir()] == ["little.txt"]


def test_bad_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A captive portal's page must not lie in the data folder as a corpus."""
    source = tmp_path / "source.txt"
    source.write_bytes(b"<html>please log in</html>")
    register(monkeypatch, b"some words\n" * 500, url=source.as_uri())
    data = tmp_path / "data"
    with pytest.raises(CorpusError, match=r"source\.txt is not the corpus 'little'"):
        load_corpus(CorpusConfig(name="little"), data)
    assert not data.exists()


def test_failed_download_names_file_and_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways out are in the message: put the file there, or mend the network."""
    register(monkeypatch, b"x", url="http://127.0.0.1:9/none")
    with pytest.raises(CorpusError, match=r"not at .*little\.txt and its download from http"):
        load_corpus(CorpusConfig(name="little"), tmp_path)


def test_corpus_without_url_names_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is guessed."""
    register(monkeypatch, b"x")
    with pytest.raises(CorpusError, match="cannot be downloaded as one file; its source is these"):
        load_corpus(CorpusConfig(name="little"), tmp_path)


def test_records_are_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a separator the held-out part begins at the beginning of a record."""
    content = b"".join(b"poem %d\nsecond line\n\n" % number for number in range(300))
    register(monkeypatch, content, separator="\n\n")
    (tmp_path / "little.txt").write_bytes(content)
    corpus = load_corpus(CorpusConfig(name="little"), tmp_path)
    assert corpus.train_text.endswith("second line\n\n")
    assert corpus.validation_text.startswith("poem ")
    assert (corpus.train_text + corpus.validation_text).encode() == content


def test_shuffle_is_fixed_and_keeps_every_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list sorted by frequency would hold out only the rare."""
    lines = [f"name{number:04d}" for number in range(1_000)]
    content = ("\n".join(lines) + "\n").encode()
    register(monkeypatch, content, separator="\n", shuffled=True)
    (tmp_path / "little.txt").write_bytes(content)
    first = load_corpus(CorpusConfig(name="little"), tmp_path)
    second = load_corpus(CorpusConfig(name="little"), tmp_path)
    assert first == second
    text = first.train_text + first.validation_text
    assert text != content.decode()
    assert sorted(text.split()) == lines


def test_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And from the user's cache otherwise."""
    monkeypatch.setenv("LSTM_TRAIN_DATA", "somewhere")
    assert corpora.default_data_folder() == Path("somewhere")
    monkeypatch.delenv("LSTM_TRAIN_DATA")
    assert corpora.default_data_folder().name == "lstm-train"
