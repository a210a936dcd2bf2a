"""Collections of documents: JSON, tables, and what Common Crawl extracts from web pages."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from training.config.text import CorpusConfig
from training.corpora.cleaning import plain_lines
from training.corpora.csv_rows import read_column
from training.corpora.decoded import Decoding
from training.corpora.json_records import read_json_records
from training.corpora.opened import opened, shown
from training.corpora.plain import STRICT
from training.corpora.record_texts import WITHOUT_TEXT, Tally, text_of
from training.errors import CorpusError

_OTHER_LANGUAGE = "in other languages"
_WITH_NUL = "with NUL characters (U+0000)"


def read_json_lines(
    path: Path, field: str, decoding: Decoding = STRICT, tally: Tally | None = None
) -> Iterator[str]:
    """One field of each record, with newlines as line ends; see `read_json_records`.

    Args:
        path: JSON lines, or an array.
        field: See `text_of`.
        decoding: How its bytes are read, and whether NULs are allowed.
        tally: Is told what is left out.

    Raises:
        CorpusError: a record is no such object; the message names it.
    """
    tally = Counter() if tally is None else tally
    for record in read_json_records(path, decoding):
        text = text_of(record.value, field, record.where, tally)
        if text is not None:
            _require_characters(text, record.where, decoding)
            yield plain_lines(text)


def _require_characters(text: str, where: str, decoding: Decoding) -> None:
    """JSON can name halves of characters, which no UTF-8 and no tokenizer can write, and NULs."""
    decoding.require_no_nul(text, where)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise CorpusError(f"{where} holds half a character: {half}, a lone surrogate") from error


def read_wet(
    path: Path,
    languages: tuple[str, ...],
    decoding: Decoding = STRICT,
    tally: Tally | None = None,
) -> Iterator[str]:
    """Common Crawl's WET: the text of each page (https://commoncrawl.org/get-started).

    Args:
        path: A `.warc.wet.gz` file.
        languages: ISO 639-3 codes; the first of those that the crawl has found on a page counts.
            Without any, all pages.
        decoding: Whether pages with NULs are read; else they are left out.
        tally: Is told what is left out.

    Raises:
        CorpusError: it is damaged or cut off, or is no such file.
    """
    tally = Counter() if tally is None else tally
    number = 0
    with opened(path) as packed:
        file = _Honest(packed.file)
        try:
            for number, record in enumerate(ArchiveIterator(file), start=1):
                content = _whole(record, f"{shown(path)}, record {number}")
                if record.rec_type != "conversion":
                    continue
                found = record.rec_headers.get_header("WARC-Identified-Content-Language") or ""
                first = found.split(",")[0]
                if languages and first not in languages:
                    tally[_OTHER_LANGUAGE] += 1
                    tally[f"{_OTHER_LANGUAGE}: {first or 'not known'}"] += 1
                    continue
                # Pages in broken encodings are many, and a few odd signs do less harm than a stop.
                text = content.decode("utf-8", errors="replace")
                if "\0" in text and not decoding.allow_nul:
                    tally[_WITH_NUL] += 1
                    continue
                yield plain_lines(text)
            file.require_end()
        except (ArchiveLoadFailed, ValueError) as error:
            raise CorpusError(
                f"cannot read {shown(path)} as WET, after record {number}: what follows is no WARC "
                "record"
            ) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise CorpusError(
                f"cannot read {shown(path)} as WET, after record {number}: damaged or cut off "
                f"({error})"
            ) from error
    if number == 0:
        raise CorpusError(f"cannot read {shown(path)} as WET: it holds no record")


class _Honest:
    """A file that remembers what went wrong: the library takes that for the file's end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase.read`."""
        try:
            return self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            self._failure = error
            raise

    def tell(self) -> int:
        """See `io.IOBase.tell`."""
        return self._file.tell()

    def require_end(self) -> None:
        """Raise what a read has raised."""
        if self._failure is not None:
            raise self._failure


def _whole(record: Any, where: str) -> bytes:
    """A record's content; the library takes one that ends too early for one that is short."""
    stated = record.rec_headers.get_header("Content-Length")
    if stated is None:
        raise CorpusError(f"{where} is damaged: its head ends too early. Was the download cut off?")
    content: bytes = record.content_stream().read()
    if len(content) != int(stated):
        raise CorpusError(
            f"{where} is damaged: it has {len(content):,} of {int(stated):,} bytes. Was the "
            "download cut off?"
        )
    return content


def read_documents(
    file: Path, config: CorpusConfig, decoding: Decoding | None = None, tally: Tally | None = None
) -> Iterator[str]:
    """The documents of a file that are long enough, and not too long.

    Args:
        file: In the config's format.
        config: JSON lines, a table, or WET.
        decoding: How its bytes are read; None: as `config` says.
        tally: Is told what is left out.

    Raises:
        CorpusError: it cannot be read so.
    """
    tally = Counter() if tally is None else tally
    decoding = decoding or Decoding.of(config)
    match config.format:
        case "jsonl":
            texts = read_json_lines(file, config.text_field, decoding, tally)
        case "csv":
            column = read_column(file, config.text_field, decoding, quoted=config.quoted)
            texts = map(plain_lines, column)
        case _:
            texts = read_wet(file, config.languages, decoding, tally)
    for text in texts:
        if not text.strip():
            tally[WITHOUT_TEXT] += 1
        elif len(text) < config.min_characters:
            tally[f"shorter than {config.min_characters:,} characters"] += 1
        elif config.max_characters is not None and len(text) > config.max_characters:
            tally[f"longer than {config.max_characters:,} characters"] += 1
        else:
            yield text


def left_out(tally: Tally) -> str:
    """In words, the most frequent reason first; of languages, which ones."""
    languages = {
        name.removeprefix(f"{_OTHER_LANGUAGE}: "): count
        for name, count in tally.most_common()
        if name.startswith(f"{_OTHER_LANGUAGE}: ")
    }
    few = ", ".join(f"{name} {count:,}" for name, count in list(languages.items())[:5])
    parts = []
    for reason, count in tally.most_common():
        if reason == _OTHER_LANGUAGE:
            parts.append(f"{count:,} {reason} ({few}{', ...' if len(languages) > 5 else ''})")
        elif not reason.startswith(f"{_OTHER_LANGUAGE}: "):
            parts.append(f"{count:,} {reason}")
    return ", ".join(parts)
