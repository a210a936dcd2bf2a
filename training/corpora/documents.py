"""Collections of documents: JSON lines, and the text that Common Crawl extracts from web pages."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from training.config.text import CorpusConfig
from training.corpora.cleaning import plain_lines
from training.corpora.decoded import Decoding
from training.corpora.plain import STRICT, read_lines
from training.errors import CorpusError


def read_json_lines(path: Path, field: str, decoding: Decoding = STRICT) -> Iterator[str]:
    """One field of each line's object, with newlines as line ends; empty lines are skipped.

    Raises:
        CorpusError: a line is not such an object; the message names it.
    """
    for number, line in enumerate(read_lines(path, decoding), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{path}, line {number} is not JSON: {error}") from error
        text = record.get(field) if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise CorpusError(
                f"{path}, line {number} has no text in the field {field!r} (corpus.text_field)"
            )
        _require_characters(text, f"{path}, line {number}")
        decoding.require_no_nul(text, f"{path}, line {number}")
        yield plain_lines(text)


def _require_characters(text: str, where: str) -> None:
    """JSON can name halves of characters, which no UTF-8 and no tokenizer can write."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise CorpusError(f"{where} holds half a character: {half}, a lone surrogate") from error


def read_wet(path: Path, languages: tuple[str, ...], decoding: Decoding = STRICT) -> Iterator[str]:
    """Common Crawl's WET: the text of each page (https://commoncrawl.org/get-started).

    Args:
        path: A `.warc.wet.gz` file.
        languages: ISO 639-3 codes; the first of those that the crawl has found on a page counts.
            Without any, all pages.
        decoding: Whether NULs are allowed.

    Raises:
        CorpusError: it is damaged, or is no such file.
    """
    try:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if record.rec_type != "conversion":
                    continue
                found = record.rec_headers.get_header("WARC-Identified-Content-Language") or ""
                if languages and found.split(",")[0] not in languages:
                    continue
                # Pages in broken encodings are many, and a few odd signs do less harm than a stop.
                text = record.content_stream().read().decode("utf-8", errors="replace")
                page = record.rec_headers.get_header("WARC-Target-URI") or "without an address"
                decoding.require_no_nul(text, f"{path}, page {page}")
                yield plain_lines(text)
    except (OSError, EOFError, ArchiveLoadFailed, gzip.BadGzipFile) as error:
        raise CorpusError(f"cannot read {path} as WET: {error}") from error


def of_right_length(texts: Iterator[str], config: CorpusConfig) -> Iterator[str]:
    """Only documents of `min_characters` to `max_characters`."""
    for text in texts:
        longest = config.max_characters
        if len(text) >= config.min_characters and (longest is None or len(text) <= longest):
            yield text
