"""Files of word vectors opened: unpacked if need be, and named if they are something else."""

from __future__ import annotations

import io
import lzma
import shlex
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from training.corpora.opened import free_name, opened, quoted
from training.corpora.signatures import HEAD_BYTES, Foreign, foreign_kind, packing_of
from training.errors import CorpusError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SHOWN_MEMBERS = 6
_ADVICE = "give vectors in one of the formats word2vec, word2vec-binary, glove or fasttext"
_NUMPY = Foreign(
    "holds arrays of numpy, without words",
    "write each word and its numbers as a line, which is the format glove",
)
_UTF16 = Foreign("is UTF-16", "write it as UTF-8", "iconv -f UTF-16 -t UTF-8 {file} > {text}")
_FOREIGN = {
    b"\xba\x16\x4f\x2f": Foreign(
        "is a whole fastText model, not its vectors", "give the .vec file of the same model"
    ),
    b"\x93NUMPY": _NUMPY,
    b"\x80": Foreign(
        "is a pickle, which may run programs when it is read",
        "write it out by the program that made it; gensim's save_word2vec_format "
        "writes the format word2vec",
    ),
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
}


@contextmanager
def opened_vectors(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file of vectors, unpacked; of a zip those of its only file.

    Raises:
        CorpusError: it cannot be read, is damaged or no vectors; the message says what to do.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or a device"
        raise CorpusError(f"cannot read vectors {path}: it is {what}; name one file")
    if _is_zip(path):
        with _only_member(path) as content:
            yield content
        return
    with opened(path, "vectors", _foreign) as file:
        yield cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", file.file)))


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in _ZIP
    except OSError:
        return False  # who opens it says why


@contextmanager
def _only_member(path: Path) -> Iterator[BinaryIO]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if any(member.filename.endswith(".npy") for member in members):
                raise CorpusError(f"{path} {_NUMPY.what}: {_NUMPY.advice}")
            if len(members) != 1:
                raise CorpusError(_choice(path, [member.filename for member in members]))
            if members[0].flag_bits & 1:
                raise CorpusError(f"{path} is a zip with a password: unpack it")
            with archive.open(members[0]) as member:
                content = io.BufferedReader(cast("io.RawIOBase", member))
                head = content.peek(HEAD_BYTES)[:HEAD_BYTES]
                if (packing := packing_of(head)) is not None or head.startswith(_ZIP):
                    raise CorpusError(f"{path} holds what is packed with {packing or 'zip'} again")
                if (kind := _foreign(head, None)) is not None:
                    raise CorpusError(f"{path} is a zip; what it holds {kind.what}: {kind.advice}")
                yield cast("BinaryIO", content)
    except NotImplementedError as error:  # zipfile's word for what it cannot unpack
        unzip = f"unzip {quoted(path)}"
        raise CorpusError(f"{path} is packed in a way that is not known here: {unzip}") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise CorpusError(f"cannot read vectors {path}: damaged or cut off ({error})") from error
    except OSError as error:
        raise CorpusError(f"cannot read vectors {path}: {error.strerror or error}") from error


def _choice(path: Path, names: list[str]) -> str:
    kind = foreign_kind(_ZIP[0], path)
    if kind is not None and not kind.what.endswith("zip"):
        return f"{path} {kind.what}: {_ADVICE}"
    if not names:
        return f"{path} is an empty zip: {_ADVICE}"
    shown = ", ".join(names[:_SHOWN_MEMBERS]) + (" ..." if len(names) > _SHOWN_MEMBERS else "")
    new = quoted(free_name(path.with_name(Path(names[0]).name)))
    return (
        f"{path} holds {len(names)} files, {shown}: take out the one that is meant, for example by"
        f"\n  unzip -p {quoted(path)} {shlex.quote(names[0])} > {new}\n"
        "and name what comes out of it"
    )


def _foreign(head: bytes, path: Path | None) -> Foreign | None:
    for magic, kind in _FOREIGN.items():
        if head.startswith(magic):
            return kind
    found = foreign_kind(head, path)
    if found is None or found.command is not None:
        return found
    return replace(found, advice=_ADVICE)
