"""UTF-8 text in files, read in pieces of whole lines."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from training.corpora.cleaning import plain_lines
from training.errors import CorpusError

PIECE_BYTES = 1 << 20
_LONGEST_LINE = 16 << 20
"""A longer one is read in parts."""


def text_files(path: Path, *endings: str) -> list[Path]:
    """The file, or those of a folder that end so, in order of their names.

    Raises:
        CorpusError: there is none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name[:1] != ".")
    chosen = [file for file in files if file.name.endswith(endings)]
    if not chosen:
        raise CorpusError(f"{path} holds no file that ends in {' or '.join(endings)}")
    return chosen


def read_pieces(path: Path) -> Iterator[str]:
    """A file, strictly UTF-8; byte order marks are dropped, all line ends become newlines.

    Raises:
        CorpusError: it cannot be read, is damaged, or is not UTF-8.
    """
    rest = ""
    for text in _decoded(path):
        lines, newline, rest = (rest + text).rpartition("\n")
        if lines or newline:
            yield lines + newline
        if len(rest) > _LONGEST_LINE:
            yield rest
            rest = ""
    if rest:
        yield rest


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file without their ends.

    Raises:
        CorpusError: see `read_pieces`.
    """
    for piece in read_pieces(path):
        yield from piece.removesuffix("\n").split("\n")


def read_paragraphs(path: Path) -> Iterator[str]:
    """What stands between blank lines, without the last line's end.

    Raises:
        CorpusError: see `read_pieces`.
    """
    lines: list[str] = []
    for line in read_lines(path):
        if line.strip():
            lines.append(line)
        elif lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _decoded(path: Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    num_bytes = 0
    text = ""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while chunk := file.read(PIECE_BYTES):
                offset = num_bytes - len(decoder.getstate()[0])
                text += _decode(decoder, chunk, path, offset)
                num_bytes += len(chunk)
                # What may be the first half of a Windows line end waits for the second.
                held = "\r" if text.endswith("\r") else ""
                yield plain_lines(text.removesuffix(held))
                text = held
        _decode(decoder, b"", path, num_bytes - len(decoder.getstate()[0]), final=True)
    except OSError as error:
        raise CorpusError(f"cannot read text {path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise CorpusError(f"cannot read text {path}: damaged or cut off ({error})") from error
    yield plain_lines(text)


def _decode(
    decoder: codecs.IncrementalDecoder,
    chunk: bytes,
    path: Path,
    offset: int,
    *,
    final: bool = False,
) -> str:
    try:
        return decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte {error.object[error.start]:#04x} at offset "
            f"{offset + error.start} ({error.reason}); convert it, for example with "
            "iconv -t UTF-8"
        ) from error
