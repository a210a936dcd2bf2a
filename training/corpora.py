"""Texts to train on: a file of the user's own, or a named corpus with its source and checksum.

A named corpus is looked up in the data folder (option `--data`, environment
`LSTM_TRAIN_DATA`, default `~/.cache/lstm-train`) and otherwise downloaded into it. Either way its
sha256 is checked before a character of it is used.
"""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from training.config import CorpusConfig
from training.errors import CorpusError

TRAIN_PERCENT = 90
MIN_CHARACTERS = 4_000
"""Enough for the held-out tenth to hold a cold window of 256 characters."""
_DOWNLOAD_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class NamedCorpus:
    """A public text: where it comes from and how to know that it is the right one."""

    name: str
    file: str
    """File name in the data folder."""
    source: str
    """Where the text comes from, for people."""
    url: str | None
    """Where the very file can be downloaded; None if it has to be put into the data folder."""
    sha256: str
    licence: str
    separator: str | None = None
    """What stands between records; the split then falls between two of them."""
    shuffled: bool = False
    """Whether records are put into a fixed random order first (a sorted list would otherwise
    hold out records of another kind than it trains on)."""


NAMED_CORPORA = {
    corpus.name: corpus
    for corpus in (
        NamedCorpus(
            name="tinyshakespeare",
            file="tinyshakespeare.txt",
            source="https://github.com/karpathy/char-rnn (data/tinyshakespeare/input.txt)",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            licence="public domain",
        ),
        NamedCorpus(
            name="names",
            file="names.txt",
            source="https://github.com/karpathy/makemore (names.txt)",
            url="https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
            sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
            licence="MIT",
            separator="\n",
            shuffled=True,
        ),
        NamedCorpus(
            name="song-ci",
            file="song_ci.txt",
            source="https://github.com/chinese-poetry/chinese-poetry (Song ci, one text file made "
            "of its JSON files: title, author, lines; a blank line between poems)",
            url=None,
            sha256="084caef1f31293f550811afef6a4c6a42118e35448772ea660d5c267d49451e2",
            licence="MIT, poems public domain",
            separator="\n\n",
        ),
    )
}


@dataclass(frozen=True)
class Corpus:
    """A text, split into what is trained on and what is held out, and where it came from."""

    name: str
    source: str
    licence: str | None
    sha256: str
    """Of the file's bytes."""
    train_text: str
    validation_text: str

    @property
    def num_characters(self) -> int:
        """Characters of both parts."""
        return len(self.train_text) + len(self.validation_text)


def load_corpus(config: CorpusConfig, data_folder: Path) -> Corpus:
    """Find, verify, decode and split a corpus.

    Raises:
        CorpusError: unknown name, unreadable file, failed download, wrong checksum, not UTF-8, or
            too short; the message names the file.
    """
    if config.path is not None:
        return _load_file(Path(config.path))
    named = NAMED_CORPORA.get(config.name or "")
    if named is None:
        known = ", ".join(sorted(NAMED_CORPORA))
        raise CorpusError(f"corpus.name: no corpus is called {config.name!r}; known: {known}")
    return _load_named(named, data_folder)


def default_data_folder() -> Path:
    """`$LSTM_TRAIN_DATA`, or a folder in the user's cache."""
    configured = os.environ.get("LSTM_TRAIN_DATA")
    return Path(configured) if configured else Path.home() / ".cache" / "lstm-train"


def _load_file(path: Path) -> Corpus:
    content = _read(path)
    train, validation = _split(_decode(content, path), None, path)
    return Corpus(
        name=path.name,
        source="a file of the user's own",
        licence=None,
        sha256=hashlib.sha256(content).hexdigest(),
        train_text=train,
        validation_text=validation,
    )


def _load_named(named: NamedCorpus, data_folder: Path) -> Corpus:
    path = data_folder / named.file
    if not path.exists():
        _download(named, path)
    content = _read(path)
    _check_sha256(content, named, str(path))
    text = _decode(content, path)
    if named.shuffled and named.separator is not None:
        text = _shuffled(text, named.separator)
    train, validation = _split(text, named.separator, path)
    return Corpus(named.name, named.source, named.licence, named.sha256, train, validation)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read text {path}: {error.strerror}") from error


def _decode(content: bytes, path: Path) -> str:
    """Strict UTF-8; a byte order mark is dropped, Windows line ends become newlines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start} "
            f"({error.reason}); convert it, for example with iconv -t UTF-8"
        ) from error
    return text.replace("\r\n", "\n")


def _shuffled(text: str, separator: str) -> str:
    records = text.strip(separator).split(separator)
    random.Random(0).shuffle(records)
    return separator.join(records) + separator


def _split(text: str, separator: str | None, path: Path) -> tuple[str, str]:
    """First 90 % and last 10 %; with a separator the cut moves to the next end of a record."""
    if len(text) < MIN_CHARACTERS:
        size = "empty" if not text else f"{len(text)} characters long"
        raise CorpusError(f"{path} is {size}; training needs at least {MIN_CHARACTERS} characters")
    cut = len(text) * TRAIN_PERCENT // 100
    if separator is not None:
        end_of_record = text.find(separator, cut)
        if end_of_record != -1 and end_of_record + len(separator) < len(text):
            cut = end_of_record + len(separator)
    return text[:cut], text[cut:]


def _check_sha256(content: bytes, named: NamedCorpus, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != named.sha256:
        raise CorpusError(
            f"{where} is not the corpus {named.name!r}: its sha256 is {found}, "
            f"expected {named.sha256}"
        )


def _download(named: NamedCorpus, path: Path) -> None:
    """Fetch, verify, and only then let the file appear under its name."""
    if named.url is None:
        raise CorpusError(
            f"corpus {named.name!r} is not at {path} and cannot be downloaded as one file; "
            f"its source is {named.source}"
        )
    try:
        with urllib.request.urlopen(named.url, timeout=_DOWNLOAD_TIMEOUT_S) as response:
            content: bytes = response.read()
    except (urllib.error.URLError, OSError) as error:
        raise CorpusError(
            f"corpus {named.name!r} is not at {path} and its download from {named.url} failed: "
            f"{error}"
        ) from error
    _check_sha256(content, named, named.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(content)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(path)
