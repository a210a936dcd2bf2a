"""Corpora by name: found, verified, downloaded, and clearly refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from training.config.text import CorpusConfig
from training.corpora import named as registry
from training.corpora.load import default_data_folder, load_corpus
from training.corpora.named import NamedCorpus
from training.errors import CorpusError


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
    monkeypatch.setitem(registry.NAMED_CORPORA, "little", named)


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


def test_a_collection_is_known_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its items are whole, in a fixed order, and none is lost."""
    names = [f"name{number:04d}" for number in range(1_000)]
    content = ("\n".join(names) + "\n").encode()
    register(monkeypatch, content, items="lines", shuffled=True)
    (tmp_path / "little.txt").write_bytes(content)
    corpus = load_corpus(CorpusConfig(name="little"), tmp_path)
    again = load_corpus(CorpusConfig(name="little"), tmp_path)
    assert corpus.has_items
    found = [*corpus.train, *corpus.validation]
    assert found == [*again.train, *again.validation]
    assert found != names
    assert sorted(found) == names
    assert len(list(corpus.validation)) == 100


def test_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And from the user's cache otherwise."""
    monkeypatch.setenv("LSTM_TRAIN_DATA", "somewhere")
    assert default_data_folder() == Path("somewhere")
    monkeypatch.delenv("LSTM_TRAIN_DATA")
    assert default_data_folder().name == "lstm-train"
