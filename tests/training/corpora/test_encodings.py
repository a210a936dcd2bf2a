"""Texts that are not UTF-8: named by their encoding, with a way out that works as it is printed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.training.corpora.test_load import json_lines, load, wet_file, whole
from tests.training.documented import documented
from training.config.files import parse_config
from training.config.text import CorpusConfig
from training.corpora import plain
from training.corpora.decoded import Decoding
from training.corpora.encodings import SAMPLE_BYTES, likely_encoding
from training.errors import ConfigError, CorpusError

TEXTS = {
    "French": "L'été dernier, où étiez-vous ? Ça m'a plu, garçon ; déjà vu à Noël.\n",
    "French, typographic": "L\u2019été \u2014 où étiez-vous ? «\xa0Ça m\u2019a plu\xa0»\u2026\n",
    "German": "Die Straße war größer als üblich, schöne Mädchen über Äpfel.\n",
    "Spanish": "El niño comió la piña en el jardín; ¿qué más quería? ¡Así es!\n",
    "Polish": "Zażółć gęślą jaźń, łódź i świerk źle.\n",
    "Turkish": "İstanbul'da güneşli bir gün, çok şıkır şıkır ağaçlar\n",  # noqa: RUF001
    "Russian": "Мороз и солнце; день чудесный! Ещё ты дремлешь, друг прелестный.\n",
    "Greek": "Άνδρα μοι έννεπε, μούσα, πολύτροπον, ός μάλα πολλά\n",
    "Hebrew": "בראשית ברא אלהים את השמים ואת הארץ\n",
    "simplified": "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n",  # noqa: RUF001
    "traditional": "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。\n",  # noqa: RUF001
    "Japanese": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n",
    "Korean": "나 보기가 역겨워 가실 때에는 말없이 고이 보내 드리우리다.\n",
}
WRITTEN = [
    ("French", "latin-1"),
    ("French", "cp1252"),
    ("French, typographic", "cp1252"),
    ("French", "mac-roman"),
    ("German", "latin-1"),
    ("German", "cp850"),
    ("Spanish", "latin-1"),
    ("Polish", "cp1250"),
    ("Polish", "iso8859-2"),
    ("Turkish", "cp1254"),
    ("Russian", "koi8-r"),
    ("Russian", "cp1251"),
    ("Russian", "cp866"),
    ("Russian", "utf-16-le"),
    ("Russian", "utf-16-be"),
    ("Greek", "cp1253"),
    ("Hebrew", "cp1255"),
    ("simplified", "gb18030"),
    ("simplified", "utf-16-le"),
    ("traditional", "big5"),
    ("Japanese", "shift-jis"),
    ("Japanese", "euc-jp"),
    ("Japanese", "iso2022-jp"),
    ("Korean", "euc-kr"),
    ("German", "utf-16-le"),
    ("German", "utf-16-be"),
    ("German", "utf-32-le"),
    ("German", "utf-32-be"),
    ("simplified", "utf-32-le"),
]


def refusal(path: Path, **options: Any) -> str:
    """What is said of a text that is not read."""
    with pytest.raises(CorpusError) as refused:
        load(path, **options)
    assert str(path) in str(refused.value)
    return str(refused.value)


def written(path: Path, language: str, encoding: str) -> str:
    """About 10,000 characters in a file of that encoding; returns them."""
    line = TEXTS[language]
    text = f"plain ASCII first\n{line}" * (10_000 // len(line))
    path.write_bytes(text.encode(encoding))
    return text


@pytest.mark.parametrize(("language", "encoding"), WRITTEN)
def test_the_encoding_is_named_and_both_ways_out_work(
    tmp_path: Path, language: str, encoding: str
) -> None:
    """The option gives the very text; so does the command, pasted into a shell."""
    path = tmp_path / "it's a text.txt"
    text = written(path, language, encoding)
    message = refusal(path)
    named = re.search(r"say --encoding (\S+) \(", message)
    assert named is not None, message
    assert whole(load(path, encoding=named[1])) == text
    documented("looks like")
    if shutil.which("iconv") is None:
        pytest.skip("there is no iconv")
    command = message.rpartition("\n  ")[2]
    assert command.startswith("iconv -f ")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert whole(load(tmp_path / "it's a text.utf-8.txt")) == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "gb18030"])
@pytest.mark.parametrize("piece", [3, 1 << 20])
def test_byte_order_marks_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, piece: int
) -> None:
    """Whatever the config says, unless it says something else."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    path = tmp_path / "t.txt"
    mark = "\ufeff" if encoding == "gb18030" else ""
    path.write_bytes((mark + "schöne Straße 漢\r\n" * 400).encode(encoding))
    assert whole(load(path)) == "schöne Straße 漢\n" * 400
    message = refusal(path, encoding="windows-1252")
    assert documented("begins with the byte order mark of") in message


def test_a_mark_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    """Or half of the readers would take one byte first, and half the other."""
    path = tmp_path / "t.txt"
    written(path, "German", "utf-16-le")
    assert documented("has no byte order mark") in refusal(path, encoding="utf-16")


@pytest.mark.parametrize("piece", [50, 1 << 20])
@pytest.mark.parametrize(
    ("errors", "sign", "done"),
    [("replace", "\ufffd", "became U+FFFD"), ("skip", "", "were left out")],
)
def test_a_few_bad_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int, errors: str, sign: str, done: str
) -> None:
    """Place, number and a way out; what was done is counted, once, however often it is read."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    path = tmp_path / "t.txt"
    good = "é漢\n" * 1_000
    path.write_bytes(b"\xff".join([good.encode()] * 4))
    message = refusal(path)
    phrase = documented("is UTF-8 but for")
    assert f"{phrase} 3 places, the first of them byte 0xff at offset 6000 (line 1001)" in message
    assert f"--errors {errors}" in message
    corpus = load(path, errors=errors)
    assert whole(corpus) == sign.join([good] * 4)
    assert corpus.notes == (
        f"{path}: bytes at 3 places are not UTF-8; they {done} (corpus.errors = '{errors}')",
    )
    lines = load(path, errors=errors, items="lines")
    assert lines.notes == corpus.notes
    path.write_text(good * 4, encoding="utf-8")
    assert load(path, errors=errors).notes == ()


def test_a_character_that_is_cut_off_at_the_end(tmp_path: Path) -> None:
    """A download that broke off: one place."""
    path = tmp_path / "t.txt"
    path.write_bytes(("漢" * 5_000).encode()[:-1])
    assert "is UTF-8 but for one place, the first of them byte 0xe6" in refusal(path)


def test_what_is_no_text_in_any_encoding(tmp_path: Path) -> None:
    """All the ways out are named; none is guessed."""
    path = tmp_path / "t.txt"
    path.write_bytes(b"x" * 5_000 + b"\xff" + b"x")
    assert documented("in no encoding that is recognised") in refusal(path)


@pytest.mark.parametrize("name", ["base64", "rot13", "unicode_escape", "idna", "klingon", ""])
def test_what_is_no_encoding_is_refused(name: str) -> None:
    """By a list of usual ones."""
    table = {"name": "m", "corpus": {"path": "t", "encoding": name}}
    with pytest.raises(ConfigError, match=r"corpus\.encoding: .*(no encoding)"):
        parse_config(table, source="test")


def test_encodings_have_one_name_each() -> None:
    """So that a run that goes on may spell it in another way."""
    one, other = (CorpusConfig(path="t", encoding=name) for name in ("Latin-1", "ISO-8859-1"))
    assert one == other
    assert CorpusConfig(path="t", encoding="UTF-8") == CorpusConfig(path="t")


def test_options_of_bytes_do_not_go_with_pages() -> None:
    """Common Crawl writes UTF-8."""
    for options in ({"encoding": "latin-1"}, {"errors": "skip"}):
        with pytest.raises(ConfigError, match="does not go with format 'wet'"):
            parse_config(
                {"name": "m", "corpus": {"path": "t", "format": "wet", **options}}, source="t"
            )


@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_nuls_are_refused_by_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """And the command that takes them out does; or they are allowed."""
    monkeypatch.setattr(plain, "PIECE_BYTES", piece)
    path = tmp_path / "t.txt"
    text = "é line\r\n" * 700 + "one\0two\n" + "line\n" * 10
    path.write_text(text, encoding="utf-8", newline="")
    message = refusal(path)
    phrase = documented("holds a NUL character (U+0000)")
    assert f"{phrase} at offset {700 * 9 + 3} (line 701)" in message
    assert whole(load(path, allow_nul=True)) == text.replace("\r\n", "\n")
    command = message.partition("\n  ")[2].partition("\n")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    cleaned = whole(load(tmp_path / "t.no-nul.txt"))
    assert cleaned == text.replace("\r\n", "\n").replace("\0", "")


@pytest.mark.parametrize("items", [None, "items"])
@pytest.mark.parametrize("text_format", ["text", "jsonl", "wet", "ptb", "wikitext"])
def test_nuls_are_refused_in_every_format(
    tmp_path: Path, text_format: str, items: str | None
) -> None:
    """However they are written there."""
    record = "some words \0 here"
    kind = {"text": "lines", "jsonl": "documents", "wet": "documents"}.get(text_format)
    path = tmp_path / "t"
    match text_format:
        case "jsonl":
            json_lines(path, *[{"text": record}] * 300)
            assert "\\u0000" in path.read_text(encoding="utf-8")
        case "wet":
            wet_file(path, [(None, record)] * 300)
        case "text":
            path.write_text(f"{record}\n" * 300, encoding="utf-8")
        case _:
            path = three_files(tmp_path, text_format, f"{record}\n" * 300)
    items = kind if items else None
    # One page of a web archive is nothing among thousands: left out, and counted.
    message = (
        "with NUL characters (U+0000)" if text_format == "wet" else "holds a NUL character (U+0000)"
    )
    with pytest.raises(CorpusError, match=re.escape(documented(message))):
        load(path, format=text_format, items=items)
    assert "\0" in whole(load(path, format=text_format, items=items, allow_nul=True))


def three_files(folder: Path, layout: str, text: str) -> Path:
    """The same in all of them."""
    stem, ending = {"ptb": ("ptb", "txt"), "wikitext": ("wiki", "tokens")}[layout]
    for part in ("train", "valid", "test"):
        file = folder / f"{stem}.{part}.{ending}"
        file.write_text(text, encoding="utf-8", newline="")
    return folder


@pytest.mark.parametrize("words", ["a\0b\0", "one\0two\0three\0", "ls -l\0", "\0\0\0\0", "日本\0"])
def test_separators_are_not_taken_for_utf_16(tmp_path: Path, words: str) -> None:
    """What `find -print0` writes holds NULs, and is UTF-8."""
    path = tmp_path / "t.txt"
    path.write_text("a list of words " * 300 + words * 3, encoding="utf-8")
    assert "holds a NUL character" in refusal(path)


def test_other_encodings_in_other_formats(tmp_path: Path) -> None:
    """JSON lines and the layouts of papers are read the same way."""
    path = tmp_path / "t.jsonl"
    path.write_bytes('{"text": "Gr\u00f6\u00dfe \xe9"}\n'.encode("utf-16-le") * 600)
    assert "utf-16le" in refusal(path, format="jsonl")
    assert "Größe é" in whole(load(path, format="jsonl", encoding="utf-16-le"))
    folder = three_files(tmp_path, "ptb", "")
    for file in folder.glob("ptb.*"):
        file.write_bytes("größer als\n".encode("latin-1") * 600)
    assert whole(load(folder, format="ptb", encoding="latin-1")).startswith("größer als\n")


def test_decodings_compare_by_what_they_do() -> None:
    """Not by what was found."""
    one = Decoding()
    one.damaged[Path("t")] = 3
    assert one == Decoding()


@pytest.mark.parametrize("end", ["\n", "。"])
@pytest.mark.parametrize("offset", [0, 1])
def test_a_sample_that_ends_within_a_character(end: str, offset: int) -> None:
    """Long texts of pairs are none of single bytes; nor are those of a single line."""
    line = "春眠不觉晓。处处闻啼鸟。夜来风雨声。花落知多少" + end
    text = b"a" * offset + (line * 2_000).encode("gb18030")
    assert likely_encoding(text) == likely_encoding(text[:SAMPLE_BYTES]) == "gb18030"
