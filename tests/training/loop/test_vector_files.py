"""Files of word vectors that people have: read, or refused by what they are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from backports import zstd

from tests.training.documented import documented
from training.config.model import VectorsConfig
from training.config.text import TokenizerConfig
from training.errors import CorpusError
from training.loop.vectors import Vectors, load_vectors
from training.tokenization.build import build_tokenizer

GOOD = b"the 1 2 3\nlamp 4 5 6\n"
BINARY = b"2 3\nthe " + struct.pack("<3f", 1, 2, 3) + b"\nlamp " + struct.pack("<3f", 4, 5, 6)
WANTED = {" the": [1, 2, 3], " lamp": [4, 5, 6]}
MANY = b"".join(b"w%d 1 2 3\n" % number for number in range(2000))


def load(path: Path, layout: str = "glove") -> tuple[Vectors, dict[str, list[float]]]:
    """The vectors of "the", "lamp" and "keeps", and the same by token."""
    config = TokenizerConfig(kind="word")
    tokenizer = build_tokenizer(config, ["the lamp keeps the lamp"], has_items=False)
    options = VectorsConfig.model_validate({"path": str(path), "format": layout})
    vectors = load_vectors(options, tokenizer, 3)
    by_id = vectors.by_id.items()
    return vectors, {str(tokenizer.backend.id_to_token(n)): row.tolist() for n, row in by_id}


def of_another_method(content: bytes) -> bytes:
    """A zip that says Deflate64 (9) in place of Deflate (8), in both of its heads."""
    for magic, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = content.index(magic) + place
        content = content[:start] + b"\x09\x00" + content[start + 2 :]
    return content


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def arrays(*, several: bool) -> bytes:
    """What numpy writes."""
    file = io.BytesIO()
    if several:
        np.savez(file, np.ones((2, 3)))
    else:
        np.save(file, np.ones((2, 3)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("layout", "content", "phrase", "said"),
    [
        ("glove", b"2 3\n" + GOOD, "header", "1 header (first: line 1)"),
        ("glove", GOOD + b"\n \n", "blank", "2 blank (first: line 3)"),
        ("glove", GOOD.replace(b" ", b"\t").replace(b"\n", b" \r\n"), "rows read", "2 rows read"),
        ("glove", b"\xef\xbb\xbf" + GOOD, "rows read", "2 rows read"),
        ("word2vec", b"\xef\xbb\xbf2 3\n" + GOOD, "rows read", "2 rows read"),
        ("glove", GOOD + b"New York 1 2 3\n. . . 1 2 3\n", "rows read", "4 rows read"),
        (
            "glove",
            GOOD + b"keeps 1 2",
            "with fewer than",
            "1 with fewer than 3 numbers",
        ),
        ("glove", GOOD + b"New York 1 2\n", "or with what is no number", "1 with fewer than 3"),
        ("glove", GOOD + b"keeps 1 2 3 4\n", "with more than", "1 with more than 3 numbers"),
        ("glove", GOOD + b"keeps 1 2 x\n", "with what is no number", "number (first: line 3)"),
        ("glove", GOOD + b"keeps 1 inf 2\n", "with nan, infinity or beyond 1e9", "line 3"),
        ("glove", GOOD + b"keeps 1 1e39 2\n", "with nan, infinity or beyond 1e9", "line 3"),
        ("glove", GOOD + b"caf\xe9 1 2 3\n", "whose word is not UTF-8", "(first: line 3)"),
        ("glove", GOOD + b"the 9 9 9\n", "of a word that came before", "1 of a word that"),
        ("glove", GOOD + b" 1 2 3\n", "with fewer than", "(first: line 3)"),
        ("fasttext", b"9 3\n" + GOOD, "its header says", "9 words, it holds 2 rows"),
        ("word2vec-binary", BINARY, "rows read", "2 rows read"),
        ("word2vec-binary", b"9" + BINARY[1:] + b"\nke", "it ends in word", "word 3 of 9"),
        ("word2vec-binary", BINARY + b"\nmore", "more follows after the", "2 words"),
        (
            "word2vec-binary",
            b"3" + BINARY[1:] + b"keeps " + struct.pack("<3f", 1, float("nan"), 2),
            "with nan, infinity or beyond 1e9",
            "(first: word 3)",
        ),
    ],
)
def test_what_is_odd_is_left_out_and_said(
    tmp_path: Path, layout: str, content: bytes, phrase: str, said: str
) -> None:
    """Good rows are used whatever stands between them."""
    (tmp_path / "v").write_bytes(content)
    vectors, found = load(tmp_path / "v", layout)
    lines = "\n".join(vectors.lines())
    assert found == WANTED
    assert documented(phrase) in lines
    assert said in lines


@pytest.mark.parametrize("layout", ["glove", "word2vec-binary"])
@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd", "zip"])
def test_packed_files_are_read_as_they_are(tmp_path: Path, packing: str, layout: str) -> None:
    """Whatever they are called."""
    content = GOOD if layout == "glove" else BINARY
    packed = {
        "gzip": gzip.compress(content),
        "bzip2": bz2.compress(content),
        "xz": lzma.compress(content),
        "zstd": zstd.compress(content),
        "zip": zipped({"folder/": b"", "folder/v.txt": content}),
    }
    (tmp_path / "v").write_bytes(packed[packing])
    assert load(tmp_path / "v", layout)[1] == WANTED


@pytest.mark.parametrize(
    ("layout", "content", "complaint"),
    [
        ("glove", b"", "it is empty"),
        ("word2vec", b"", "it is empty"),
        ("word2vec", b"0 3\n", "it is empty"),
        ("word2vec", GOOD, 'say format = "glove"'),
        ("word2vec-binary", GOOD, 'say format = "glove"'),
        ("glove", BINARY, 'say format = "word2vec-binary"'),
        ("fasttext", BINARY, 'say format = "word2vec-binary"'),
        ("word2vec-binary", b"2 3\n" + GOOD, 'say format = "word2vec"'),
        ("glove", b"the 1 2\nlamp 1 2\n", "set embedding_size = 2"),
        ("glove", MANY.replace(b"\n", b" 4\n"), "set embedding_size = 4"),
        ("glove", b'{"the": [1, 2, 3]}\n', "it looks like JSON"),
        ("glove", b"<!DOCTYPE html>\n<html>\n", "it looks like a page of the web"),
        ("glove", b"the,1,2,3\n", "it looks like CSV"),
        ("glove", b"A lamp keeps the night away.\n" * 300, "it looks like a text"),
        ("glove", b"the \x00\x01\x02\n", "it is no text"),
        ("glove", b"x" * (1 << 21), "is longer than"),
        ("glove", MANY + b"short 1\n" * 21, "rows are no vectors, more than is left out"),
        ("glove", arrays(several=False), "holds arrays of numpy"),
        ("glove", arrays(several=True), "holds arrays of numpy"),
        ("word2vec-binary", b"\xba\x16\x4f\x2f" + bytes(50), "is a whole fastText model"),
        ("word2vec-binary", b"\x80\x04\x95" + bytes(50), "is a pickle"),
        ("word2vec-binary", b"9 3\n" + b"x" * 20_000, "it is damaged at word"),
        ("glove", GOOD.decode().encode("utf-16"), "is UTF-16"),
        (
            "glove",
            zipped({"a.txt": GOOD, "b.txt": GOOD}),
            "take out the one that is meant",
        ),
        ("glove", zipped({}), "is an empty zip"),
        ("glove", zipped({"v.gz": gzip.compress(GOOD)}), "is packed with gzip again"),
        ("glove", zipped({"v.txt": MANY})[:400], "damaged or cut off"),
        ("glove", of_another_method(zipped({"v.txt": MANY})), "a way that is not known here"),
        ("glove", gzip.compress(MANY)[:400], "damaged or cut off"),
        ("glove", b"nobody 1 2 3\n", "know none of the"),
    ],
)
def test_what_is_no_use_is_refused_by_what_it_is(
    tmp_path: Path, layout: str, content: bytes, complaint: str
) -> None:
    """With the file's name, and what to do."""
    (tmp_path / "v.x").write_bytes(content)
    with pytest.raises(CorpusError, match=re.escape(complaint)) as refusal:
        load(tmp_path / "v.x", layout)
    documented(re.sub(r"(embedding_size =) \d", r"\1", complaint))
    assert "v.x" in str(refusal.value)


def test_twenty_bad_rows_of_two_thousand_are_left_out(tmp_path: Path) -> None:
    """One in a hundred is the bound."""
    (tmp_path / "v").write_bytes(b"short 1\n" * 20 + GOOD + MANY)
    assert load(tmp_path / "v")[1] == WANTED


def test_the_printed_command_overwrites_nothing(tmp_path: Path) -> None:
    """It writes beside the zip, into a file that is not there."""
    (tmp_path / "v.zip").write_bytes(zipped({"a b.txt": GOOD, "c.txt": GOOD}))
    (tmp_path / "a b.txt").write_bytes(b"mine")
    with pytest.raises(CorpusError, match=re.escape(f"'a b.txt' > '{tmp_path}/a b-2.txt'")):
        load(tmp_path / "v.zip")


def test_an_address_is_refused() -> None:
    """With the command that fetches it."""
    with pytest.raises(ValueError, match=documented("is an address, not a file")):
        VectorsConfig.model_validate({"path": "https://host/v.zip", "format": "glove"})


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """At once, as what it is."""
    with pytest.raises(CorpusError, match=documented("name one file")):
        load(tmp_path)
