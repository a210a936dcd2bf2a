"""What a file is by its first bytes: packed text, or no text at all.

What it is called does not matter: files are renamed, and downloads unpack what they fetch.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 4096
"""How much of a file is looked at."""

PACKED_ENDINGS = ("", ".gz", ".bz2", ".xz", ".zst")
"""Of what is read as it is; after a format's own ending."""


@dataclass(frozen=True)
class Foreign:
    """What is not read.

    Attributes:
        what: "is ..." in a message.
        advice: What to do about it.
        command: To be pasted, with `{file}`, `{text}` and `{folder}` for names.
    """

    what: str
    advice: str = "train on the text that it was made from, or that a program writes out of it"
    command: str | None = None


_PACKINGS = {
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
"""Of a file with content, and of an empty one: `BZh9` alone may begin a sentence."""

_UNPACK, _CONVERT = "unpack it", "take the text out of it"
_PROGRAM, _PICTURE = Foreign("is a program, not a text"), Foreign("is a picture, not a text")
_SOUND, _ARRAYS = Foreign("is sound or film, not a text"), Foreign("holds arrays, not a text")

_DOCUMENTS = {
    b"%PDF-": Foreign("is a PDF, not a text", _CONVERT, "pdftotext {file} {text}"),
    b"{\\rtf": Foreign("is rich text (RTF)", _CONVERT, "pandoc -t plain -o {text} {file}"),
    b"%!PS-Adobe": Foreign("is PostScript, not a text", _CONVERT, "ps2ascii {file} {text}"),
}
"""They may be nothing but readable characters."""

_BINARIES = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Foreign(
        "is a document of an old office program",
        _CONVERT,
        "soffice --headless --convert-to txt:Text {file}",
    ),
    b"7z\xbc\xaf\x27\x1c": Foreign("is packed with 7-Zip", _UNPACK, "7z x -o{folder} {file}"),
    b"Rar!\x1a\x07": Foreign("is packed with RAR", _UNPACK, "unrar x {file} {folder}/"),
    b"LZIP\x01": Foreign("is packed with lzip", _UNPACK, "lzip -dc {file} > {text}"),
    b"\x04\x22\x4d\x18": Foreign("is packed with LZ4", _UNPACK, "lz4 -dc {file} > {text}"),
    b"\x1f\x9d": Foreign("is packed with compress", _UNPACK, "gzip -dc {file} > {text}"),
    b"\x7fELF": _PROGRAM,
    b"\xfe\xed\xfa\xce": _PROGRAM,
    b"\xfe\xed\xfa\xcf": _PROGRAM,
    b"\xce\xfa\xed\xfe": _PROGRAM,
    b"\xcf\xfa\xed\xfe": _PROGRAM,
    b"\xca\xfe\xba\xbe": _PROGRAM,
    b"\x00asm": _PROGRAM,
    b"\x89PNG\r\n\x1a\n": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"GIF87a": _PICTURE,
    b"GIF89a": _PICTURE,
    b"II*\x00": _PICTURE,
    b"MM\x00*": _PICTURE,
    b"ID3": _SOUND,
    b"OggS": _SOUND,
    b"fLaC": _SOUND,
    b"RIFF": _SOUND,
    b"\x1aE\xdf\xa3": _SOUND,
    b"SQLite format 3\x00": Foreign(
        "is an SQLite database",
        "write one column of it out",
        "sqlite3 {file} 'SELECT the_column FROM the_table' > {text}",
    ),
    b"PAR1": Foreign("is a Parquet table, not a text", "write it out as JSON lines"),
    b"ARROW1": Foreign("is an Arrow table, not a text", "write it out as JSON lines"),
    b"\x89HDF\r\n\x1a\n": _ARRAYS,
    b"\x93NUMPY": _ARRAYS,
    b"GGUF": _ARRAYS,
    b"\x80\x02}": _ARRAYS,
    b"\x80\x04\x95": _ARRAYS,
    b"\x80\x05\x95": _ARRAYS,
}
"""A text may begin with some of these letters; then it has no NUL, and is text further on."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_IN_ZIP = {
    "word/": Foreign("is a Word document", _CONVERT, "pandoc -t plain -o {text} {file}"),
    "xl/": Foreign("is an Excel table", "save it as CSV in a table program"),
    "ppt/": Foreign(
        "is a PowerPoint document",
        _CONVERT,
        "soffice --headless --convert-to pdf {file}",
    ),
    "META-INF/container.xml": Foreign(
        "is an e-book (EPUB)", _CONVERT, "pandoc -t plain -o {text} {file}"
    ),
    "content.xml": Foreign(
        "is an OpenDocument", _CONVERT, "soffice --headless --convert-to txt:Text {file}"
    ),
    "archive/data.pkl": _ARRAYS,
}
"""Beginning of a member's name -> what such a zip is."""


def packing_of(head: bytes) -> str | None:
    """With which of the programs, whose files are read as they are, a file is packed."""
    if head[:3] == b"BZh" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return next((name for magic, name in _PACKINGS.items() if head.startswith(magic)), None)


def foreign_kind(head: bytes, path: Path | None = None) -> Foreign | None:
    """What a file is that is not read; None: it may be a text.

    Args:
        head: Its first bytes.
        path: To look into a zip; None: the bytes come out of another packing.
    """
    if head.startswith(_ZIP):
        return _in_zip(path)
    if head[257:262] == b"ustar":
        return Foreign("is a tar archive", _UNPACK, "mkdir {folder} && tar -xf {file} -C {folder}")
    for magic, kind in _DOCUMENTS.items():
        if head.startswith(magic):
            return kind
    if _may_be_text(head):
        return None
    if head[:2] == b"MZ" or head[4:8] == b"ftyp":
        return _PROGRAM if head[:2] == b"MZ" else _SOUND
    return next((kind for magic, kind in _BINARIES.items() if head.startswith(magic)), None)


def _may_be_text(head: bytes) -> bool:
    """Whether all of it is UTF-8 without a NUL; the last character may be cut."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text = head[: error.start].decode("utf-8")
    return "\0" not in text


def _in_zip(path: Path | None) -> Foreign:
    names: list[str] = []
    if path is not None:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
            names = []  # damaged, or newer than zipfile: it is a zip, and unzip says what is wrong
    for beginning, kind in _IN_ZIP.items():
        if any(name.startswith(beginning) for name in names):
            return kind
    return Foreign("is packed with zip", _UNPACK, "unzip -d {folder} {file}")
