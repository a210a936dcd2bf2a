"""Files are what their first bytes say: packed texts are read, other things are named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from tests.training.corpora.test_load import json_lines, load, whole
from tests.training.documented import documented
from training.corpora import plain
from training.errors import CorpusError

TEXT = "A line of text, é.\n" * 500
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


def zipped(*names: str) -> bytes:
    """An archive with members of these names, and always the same bytes.

    They are in the names of tests, and processes that share the tests have to find the same ones.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), TEXT, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def tarred() -> bytes:
    """An archive with a text."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("inside.txt")
        member.size = len(TEXT.encode())
        archive.addfile(member, io.BytesIO(TEXT.encode()))
    return file.getvalue()


@pytest.mark.parametrize("piece", [11, 1 << 20])
@pytest.mark.parametrize("ending", ["", ".txt", ".gz", ".txt.xz"])
@pytest.mark.parametrize("packing", PACK)
def test_packed_texts_are_read_whatever_they_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str, ending: str, piece: int
) -> None:
    """Also of several parts, as programs write them that work in parallel."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    pack = PACK[packing]
    path = tmp_path / f"t{ending}"
    path.write_bytes(pack(TEXT[:4_000].encode()) + pack(TEXT[4_000:].encode()))
    assert whole(load(path)) == TEXT


def test_a_text_is_not_packed_for_being_called_so(tmp_path: Path) -> None:
    """Browsers unpack what they fetch, and keep the name."""
    path = tmp_path / "t.txt.gz"
    path.write_text(TEXT, encoding="utf-8")
    assert whole(load(path)) == TEXT


@pytest.mark.parametrize("beginning", ["BZh9 is", "PK", "MZ", "II*", "ID3 tags", "RIFF", "GIF89a"])
def test_a_text_may_begin_like_something_else(tmp_path: Path, beginning: str) -> None:
    """A sentence about formats is a sentence."""
    path = tmp_path / "t.txt"
    path.write_text(beginning + TEXT, encoding="utf-8")
    assert whole(load(path)) == beginning + TEXT


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("spoil", ["cut off", "changed"])
def test_damaged_ones_are_named(tmp_path: Path, packing: str, spoil: str) -> None:
    """Rather than trained on in part."""
    content = PACK[packing]("".join(f"number {n}\n" for n in range(3_000)).encode())
    middle = len(content) // 2
    changed = bytes(255 - byte for byte in content[middle : middle + 40])
    spoilt = content[:middle] + (b"" if spoil == "cut off" else changed + content[middle + 40 :])
    path = tmp_path / "t.txt"
    path.write_bytes(spoilt)
    with pytest.raises(CorpusError, match=re.escape(documented("damaged or cut off"))) as refused:
        load(path)
    assert str(refused.value).startswith(f"cannot read text {path}: ")


@pytest.mark.parametrize("packing", PACK)
def test_a_folder_of_packed_files_and_json_lines(tmp_path: Path, packing: str) -> None:
    """They are of the format like others."""
    ending = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}[packing]
    plain_file = json_lines(tmp_path / "plain", *[{"text": f"document {n}"} for n in range(400)])
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f"a.jsonl.{ending}").write_bytes(PACK[packing](plain_file.read_bytes()))
    assert whole(load(folder, format="jsonl")).startswith("document 0\n\ndocument 1\n\n")


NUL = bytes(64)
FOREIGN = [
    (b"%PDF-1.7\n" + b"1 0 obj\n" * 600, "is a PDF, not a text"),
    (b"{\\rtf1\\ansi " + b"text " * 999, "is rich text (RTF)"),
    (b"%!PS-Adobe-3.0\n" + b"show\n" * 999, "is PostScript, not a text"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + NUL, "is a document of an old office program"),
    (zipped("[Content_Types].xml", "word/document.xml"), "is a Word document"),
    (zipped("[Content_Types].xml", "xl/workbook.xml"), "is an Excel table"),
    (zipped("[Content_Types].xml", "ppt/presentation.xml"), "is a PowerPoint document"),
    (zipped("mimetype", "META-INF/container.xml"), "is an e-book (EPUB)"),
    (zipped("mimetype", "content.xml"), "is an OpenDocument"),
    (zipped("a.txt", "b.txt"), "is packed with zip"),
    (zipped("a.txt", "b.txt")[:50], "is packed with zip"),
    (tarred(), "is a tar archive"),
    (b"7z\xbc\xaf\x27\x1c" + NUL, "is packed with 7-Zip"),
    (b"Rar!\x1a\x07\x01" + NUL, "is packed with RAR"),
    (b"\x1f\x9d\x90" + NUL, "is packed with compress"),
    (b"\x7fELF\x02\x01\x01" + NUL, "is a program, not a text"),
    (b"MZ\x90" + NUL, "is a program, not a text"),
    (b"\xcf\xfa\xed\xfe" + NUL, "is a program, not a text"),
    (b"\x89PNG\r\n\x1a\n" + NUL, "is a picture, not a text"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF" + NUL, "is a picture, not a text"),
    (b"ID3\x04" + NUL, "is sound or film, not a text"),
    (b"\x00\x00\x00 ftypisom" + NUL, "is sound or film, not a text"),
    (b"SQLite format 3\x00" + NUL, "is an SQLite database"),
    (b"PAR1\x15\x04" + NUL, "is a Parquet table, not a text"),
    (b"\x93NUMPY\x01\x00" + NUL, "holds arrays, not a text"),
]


@pytest.mark.parametrize("packing", [None, *PACK])
@pytest.mark.parametrize(("content", "what"), FOREIGN)
def test_what_is_no_text_is_named(
    tmp_path: Path, content: bytes, what: str, packing: str | None
) -> None:
    """Packed or not, and whatever it is called."""
    path = tmp_path / "t.txt"
    path.write_bytes(content if packing is None else PACK[packing](content))
    if packing is not None and what.startswith(
        ("is a Word", "is an Excel", "is a Power", "is an e-", "is an Open")
    ):
        what = "is packed with zip"
    with pytest.raises(CorpusError, match=re.escape(documented(what))) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path} is ") or what.startswith("holds")


@pytest.mark.parametrize("packing", [None, "gzip"])
@pytest.mark.parametrize(
    ("content", "program"),
    [(zipped("a.txt", "b.txt"), "unzip"), (tarred(), "tar")],
)
def test_the_way_out_works_as_printed(
    tmp_path: Path, content: bytes, program: str, packing: str | None
) -> None:
    """Pasted into a shell; what comes out is read."""
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}")
    path = tmp_path / "it's packed.bin"
    path.write_bytes(content if packing is None else PACK[packing](content))
    with pytest.raises(CorpusError) as refused:
        load(path)
    command = str(refused.value).partition("\n  ")[2].partition("\n")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
    [folder] = [place for place in tmp_path.iterdir() if place.is_dir()]
    assert whole(load(folder)).startswith(TEXT)


@pytest.mark.parametrize("inner", PACK)
@pytest.mark.parametrize("outer", PACK)
def test_packed_twice(tmp_path: Path, inner: str, outer: str) -> None:
    """One layer is taken off, and it is said that there is another one."""
    path = tmp_path / "t.txt.gz"
    path.write_bytes(PACK[outer](PACK[inner](TEXT.encode())))
    with pytest.raises(CorpusError, match=f"is packed with {outer}, and what it holds is packed"):
        load(path)


@pytest.mark.parametrize("packing", PACK)
def test_the_way_out_of_a_packed_text(tmp_path: Path, packing: str) -> None:
    """It is unpacked on its way through iconv; nothing that is there is overwritten."""
    program = packing
    if shutil.which(program) is None or shutil.which("iconv") is None:
        pytest.skip(f"there is no {program} or iconv")
    path = tmp_path / "t.txt.gz"
    text = "schöne größere Straße\n" * 400
    path.write_bytes(PACK[packing](text.encode("latin-1")))
    with pytest.raises(CorpusError) as refused:
        load(path)
    command = str(refused.value).rpartition("\n  ")[2]
    new = tmp_path / ("t.utf-8.txt" if packing == "gzip" else "t.txt.utf-8.gz")
    assert command.endswith(f" > {new}")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert whole(load(new)) == text
    with pytest.raises(CorpusError, match=re.escape(str(new.stem) + "-2")):
        load(path)
