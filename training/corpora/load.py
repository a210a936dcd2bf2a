"""From a config to a corpus."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from training.config.paths import path_of, path_text
from training.config.paths import shown as name_shown
from training.config.text import CleaningConfig, CorpusConfig
from training.corpora.cleaning import cleaner
from training.corpora.corpus import Corpus, Texts
from training.corpora.decoded import Decoding
from training.corpora.folders import Found, find_files
from training.corpora.lookalikes import require_plain_text
from training.corpora.named import find_named, obtain
from training.corpora.opened import PIPED, shown
from training.corpora.sources import Source
from training.corpora.splitting import split
from training.corpora.streams import require_readable
from training.errors import CorpusError
from training.waiting import SILENT, Waiting, Work

_DIGESTED_BYTES = 1 << 17
"""At once."""
_LAYOUTS = {
    "ptb": ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"),
    "wikitext": ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
}
"""Corpora that come in three files."""


def load_corpus(
    config: CorpusConfig,
    data_folder: Path | None = None,
    cleaning: CleaningConfig | None = None,
    waiting: Waiting = SILENT,
) -> Corpus:
    """Find, verify, measure and split a corpus; its text stays on the disk.

    Args:
        config: Which one.
        data_folder: Where named ones are kept, if not in the default folder.
        cleaning: What is done to the text.
        waiting: Shows how far the reading is.

    Raises:
        CorpusError: a data folder for what has a path, unknown name, unreadable file, failed
            download, wrong checksum, not UTF-8, too short, or a single item; the message names
            the file.
    """
    cleaning = cleaning or CleaningConfig()
    decoding = Decoding.of(config)
    if config.path is not None:
        path = path_of(config.path)
        if data_folder is not None:
            raise CorpusError(
                f"--data is for named corpora, it does nothing for the text {shown(path)}"
            )
        if config.format in _LAYOUTS:
            return _in_three_files(path, config, cleaning, decoding, waiting)
        require_readable(path)
        found = find_files(path, config.format, config.glob)
        require_plain_text(found, config)
        licence, name = None, name_shown(path.name)
        source = "out of a pipe of the user's" if name == PIPED else "a file of the user's own"
        checksums = _checksums(found.files, waiting)
        sha256 = _sha256_of_all(found.files, path, checksums)
    else:
        named = find_named(config.name or "")
        path = obtain(named, data_folder or default_data_folder())
        found = Found(path, (path,))
        name, source, licence, sha256 = named.name, named.source, named.licence, named.sha256
        checksums = [sha256]
        config = config.model_copy(update={"items": named.items, "shuffled": named.shuffled})
    text = Source(found.files, config, cleaner(cleaning), decoding, waiting)
    parts = split(text, config, found, checksums, waiting)
    without = text.left_out()
    return Corpus(
        name,
        source,
        licence,
        sha256,
        parts.train,
        parts.held_out,
        has_items=bool(config.items),
        units=config.items or ("lines" if config.format == "text" else "documents"),
        notes=decoding.notes,
        remarks=(
            *found.remarks(checksums),
            *([f"left out of the documents: {without}"] if without else []),
            parts.remark,
        ),
    )


def at_path(config: CorpusConfig, path: Path) -> CorpusConfig:
    """The same kind of corpus, but in another place."""
    if config.name is None:
        return config.model_copy(update={"path": path_text(path)})
    named = find_named(config.name)
    return CorpusConfig(
        path=path_text(path), items=named.items, shuffled=named.shuffled, held_out=config.held_out
    )


def default_data_folder() -> Path:
    """`$LSTM_TRAIN_DATA`, or a folder in the user's cache."""
    configured = os.environ.get("LSTM_TRAIN_DATA")
    return Path(configured) if configured else Path.home() / ".cache" / "lstm-train"


def _in_three_files(
    folder: Path,
    config: CorpusConfig,
    cleaning: CleaningConfig,
    decoding: Decoding,
    waiting: Waiting,
) -> Corpus:
    files = [folder / name for name in _LAYOUTS[config.format]]
    parts = []
    for file in files:
        text = Source([file], config, cleaner(cleaning), decoding, waiting)
        parts.append(Texts(text.records, 0, sum(text.lengths())))
    train, validation, test = parts
    checksums = _checksums(files, waiting)
    counted = ", ".join(
        f"{part.num_characters:,} characters in {file.name}"
        for part, file in ((validation, files[1]), (test, files[2]))
    )
    return Corpus(
        name=name_shown(folder.name),
        source="files of the user's own",
        licence=None,
        sha256=_sha256_of_all(files, folder, checksums),
        train=train,
        validation=validation,
        test=test,
        notes=decoding.notes,
        remarks=(f"held out: {counted}",),
    )


def _sha256_of_all(files: Sequence[Path], folder: Path, checksums: Sequence[str]) -> str:
    """Of one file's bytes; of several, of what `sha256sum` would print of them in their folder."""
    if len(files) == 1:
        return checksums[0]
    names = (os.fsencode(file.relative_to(folder).as_posix()) for file in files)
    lines = (f"{one}  ".encode() + name for one, name in zip(checksums, names, strict=True))
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def _checksums(files: Sequence[Path], waiting: Waiting) -> list[str]:
    """Of each file's bytes, sha256."""
    # A file that is not there is named when it is opened.
    num_bytes = sum(file.stat().st_size for file in files if file.exists())
    with waiting.during("checksum of the text", num_bytes, "bytes") as work:
        return [_sha256(file, work) for file in files]


def _sha256(file: Path, work: Work) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while piece := content.read(_DIGESTED_BYTES):
                digest.update(piece)
                work.add(len(piece))
            return digest.hexdigest()
    except OSError as error:
        raise CorpusError(f"cannot read text {shown(file)}: {error.strerror}") from error
