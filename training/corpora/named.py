"""Public texts by name, each with its source and checksum.

A named corpus is looked up in the data folder (option `--data`, environment
`LSTM_TRAIN_DATA`, default `~/.cache/lstm-train`) and otherwise downloaded into it. Either way its
sha256 is checked before a character of it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from training.config.text import ItemKind
from training.corpora.download import BrokenOffError, fetch
from training.disk import cannot_write, flush_folder
from training.errors import CorpusError, DiskError


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
    items: ItemKind | None = None
    """What each text of it is, if it is a collection."""
    shuffled: bool = False


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
            items="lines",
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
            items="paragraphs",
        ),
    )
}


def find_named(name: str) -> NamedCorpus:
    """The corpus of that name.

    Raises:
        CorpusError: there is none; the message lists those that there are.
    """
    if name not in NAMED_CORPORA:
        known = ", ".join(sorted(NAMED_CORPORA))
        raise CorpusError(f"corpus.name: no corpus is called {name!r}; known: {known}")
    return NAMED_CORPORA[name]


def obtain(named: NamedCorpus, data_folder: Path) -> Path:
    """Its file in the data folder, downloaded if need be, with the right checksum.

    Raises:
        CorpusError: it is not there and cannot be downloaded, or is another file.
    """
    path = data_folder / named.file
    if not path.exists():
        _download(named, path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read text {path}: {error.strerror}") from error
    _check_sha256(content, named, str(path))
    return path


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
    made = not path.parent.exists()
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        was_begun = part.exists()
        fetch(named.url, part)
        if was_begun and hashlib.sha256(part.read_bytes()).hexdigest() != named.sha256:
            part.unlink()  # what lay there was the beginning of something else
            fetch(named.url, part)
        try:
            _check_sha256(part.read_bytes(), named, named.url)
        except CorpusError:
            part.unlink()
            raise
        part.replace(path)
        flush_folder(path.parent)
    except BrokenOffError as error:
        raise CorpusError(
            f"corpus {named.name!r} is not at {path} and its download from {named.url} failed: "
            f"{error}"
        ) from error
    except OSError as error:
        raise DiskError(cannot_write(error, path)) from error
    finally:
        if made:
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # if nothing came of it
