"""From a config to a corpus."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

from training.config.text import CleaningConfig, CorpusConfig
from training.corpora.cleaning import cleaner
from training.corpora.corpus import Corpus, Records, Texts
from training.corpora.decoded import Decoding
from training.corpora.documents import of_right_length, read_json_lines, read_wet
from training.corpora.named import find_named, obtain
from training.corpora.opened import PIPED, shown
from training.corpora.plain import read_lines, read_paragraphs, read_pieces, text_files
from training.corpora.signatures import PACKED_ENDINGS
from training.corpora.streams import require_readable
from training.errors import CorpusError

MIN_CHARACTERS = 4_000
"""Enough for the held-out tenth to hold a cold window of 256 characters."""
_LAYOUTS = {
    "ptb": ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"),
    "wikitext": ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
}
"""Corpora that come in three files."""
_ENDINGS = {
    "text": tuple(".txt" + packed for packed in PACKED_ENDINGS),
    "jsonl": tuple(".jsonl" + packed for packed in PACKED_ENDINGS),
    "wet": (".warc.wet.gz",),
}


def load_corpus(
    config: CorpusConfig,
    data_folder: Path | None = None,
    cleaning: CleaningConfig | None = None,
) -> Corpus:
    """Find, verify, measure and split a corpus; its text stays on the disk.

    Args:
        config: Which one.
        data_folder: Where named ones are kept, if not in the default folder.
        cleaning: What is done to the text.

    Raises:
        CorpusError: a data folder for what has a path, unknown name, unreadable file, failed
            download, wrong checksum, not UTF-8, too short, or a single item; the message names
            the file.
    """
    cleaning = cleaning or CleaningConfig()
    decoding = Decoding.of(config)
    if config.path is not None:
        path = Path(config.path)
        if data_folder is not None:
            raise CorpusError(f"--data is for named corpora, it does nothing for the text {path}")
        if config.format in _LAYOUTS:
            return _in_three_files(path, config, cleaning, decoding)
        require_readable(path)
        files = text_files(path, *_ENDINGS[config.format])
        licence, name = None, path.name
        source = "out of a pipe of the user's" if name == PIPED else "a file of the user's own"
        sha256 = _sha256_of_all(files, path)
    else:
        named = find_named(config.name or "")
        path = obtain(named, data_folder or default_data_folder())
        files = [path]
        name, source, licence, sha256 = named.name, named.source, named.licence, named.sha256
        config = config.model_copy(update={"items": named.items, "shuffled": named.shuffled})
    records = _records(files, config, cleaning, decoding)
    train, validation = _split(records, config, path)
    has_items, notes = bool(config.items), decoding.notes
    return Corpus(
        name, source, licence, sha256, train, validation, has_items=has_items, notes=notes
    )


def at_path(config: CorpusConfig, path: Path) -> CorpusConfig:
    """The same kind of corpus, but in another place."""
    if config.name is None:
        return config.model_copy(update={"path": str(path)})
    named = find_named(config.name)
    return CorpusConfig(
        path=str(path), items=named.items, shuffled=named.shuffled, held_out=config.held_out
    )


def is_of_format(file: Path, corpus_format: str) -> bool:
    """Whether a file is called as those of a format are."""
    return file.name.endswith(_ENDINGS[corpus_format])


def default_data_folder() -> Path:
    """`$LSTM_TRAIN_DATA`, or a folder in the user's cache."""
    configured = os.environ.get("LSTM_TRAIN_DATA")
    return Path(configured) if configured else Path.home() / ".cache" / "lstm-train"


def _records(
    files: list[Path], config: CorpusConfig, cleaning: CleaningConfig, decoding: Decoding
) -> Records:
    """All records of all files, cleaned, in the order in which they are trained on."""
    clean = cleaner(cleaning)

    def read() -> Iterator[str]:
        for n, file in enumerate(files):
            record = ""
            for record in records_of_file(file, config, decoding):
                yield clean(record)
            if n + 1 < len(files) and not config.items and not record.endswith("\n"):
                yield "\n"  # the next file begins on a line of its own

    if not config.shuffled:
        return read
    # In a fixed order, so that a sorted list does not hold out records of another kind.
    records = list(read())
    random.Random(0).shuffle(records)
    return lambda: iter(records)


def records_of_file(
    file: Path, config: CorpusConfig, decoding: Decoding | None = None
) -> Iterator[str]:
    """What one file holds: items as they are, documents of a text with a blank line after each.

    Args:
        file: Which one.
        config: What it is.
        decoding: How its bytes are read, and what was found out of it; None: as `config` says.

    Raises:
        CorpusError: it cannot be read so.
    """
    decoding = decoding or Decoding.of(config)
    match config.format, config.items:
        case "text", "lines":
            return (line for line in read_lines(file, decoding) if line)
        case "text", "paragraphs":
            return read_paragraphs(file, decoding)
        case "text", "files":
            return (text for text in ["".join(read_pieces(file, decoding)).strip("\n")] if text)
        case "jsonl", _:
            documents = read_json_lines(file, config.text_field, decoding)
        case "wet", _:
            documents = read_wet(file, config.languages, decoding)
        case _:
            return read_pieces(file, decoding)
    chosen = of_right_length(documents, config)
    return chosen if config.items else (text.rstrip("\n") + "\n\n" for text in chosen)


def _split(records: Records, config: CorpusConfig, path: Path) -> tuple[Texts, Texts]:
    """The beginning and the held-out end: whole records, but plain text is cut where it may be."""
    total = sum(len(record) for record in records())
    if total < MIN_CHARACTERS:
        size = "empty" if total == 0 else f"{total} characters long"
        raise CorpusError(
            f"{shown(path)} is {size}; training needs at least {MIN_CHARACTERS} characters"
        )
    cut = int(total * (1.0 - config.held_out))
    if config.items or config.format != "text":
        cut = _between_records(records, cut, total)
        if cut == 0:
            kind = (config.items or "documents").removesuffix("s")
            raise CorpusError(
                f"{shown(path)} holds only one {kind}; at least two are needed, one to be held out"
            )
    return Texts(records, 0, cut), Texts(records, cut, total)


def _between_records(records: Records, cut: int, total: int) -> int:
    """The first end of a record from `cut` on; but something is left after it."""
    # Read once more rather than remembered: a list of the lengths could be as large as the text.
    start = end = 0
    for record in records():
        start, end = end, end + len(record)
        if end >= cut:
            break
    return end if end < total else start


def _in_three_files(
    folder: Path, config: CorpusConfig, cleaning: CleaningConfig, decoding: Decoding
) -> Corpus:
    files = [folder / name for name in _LAYOUTS[config.format]]
    parts = []
    for file in files:
        records = _records([file], config, cleaning, decoding)
        parts.append(Texts(records, 0, sum(map(len, records()))))
    train, validation, test = parts
    return Corpus(
        name=folder.name,
        source="files of the user's own",
        licence=None,
        sha256=_sha256_of_all(files, folder),
        train=train,
        validation=validation,
        test=test,
        notes=decoding.notes,
    )


def _sha256_of_all(files: list[Path], folder: Path) -> str:
    """Of one file's bytes; of several, of what `sha256sum` would print of them in their folder."""
    if len(files) == 1:
        return _sha256(files[0])
    names = [file.relative_to(folder).as_posix() for file in files]
    sums = zip(map(_sha256, files), names, strict=True)
    listing = "".join(f"{checksum}  {name}\n" for checksum, name in sums)
    return hashlib.sha256(listing.encode()).hexdigest()


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"cannot read text {shown(file)}: {error.strerror}") from error
