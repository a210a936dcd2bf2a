"""Folders as people have them: which files are read, and what is said of the others."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.training.documented import documented
from training.config.paths import for_shell, path_of, path_text, shown
from training.config.text import CorpusConfig
from training.corpora.corpus import Corpus
from training.corpora.folders import find_files, matches
from training.corpora.load import load_corpus
from training.errors import CorpusError


def load(path: Path, **options: object) -> Corpus:
    """A user's own text."""
    return load_corpus(CorpusConfig.model_validate({"path": path_text(path), **options}))


def test_a_folder_says_what_it_left_out(tmp_path: Path) -> None:
    """Hidden parts, other endings, pipes, loops; capitals count, names may be no UTF-8."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.py"))
    for name in ("a.TXT", "b.txt", ".git/x.txt", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a line\n" * 400, encoding="utf-8")
    odd.write_text("more\n" * 400, encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    said = "\n".join(load(tmp_path).remarks)
    assert documented("found twice, and read all the same") in said
    assert "1 hidden (.git)" in said
    assert ".txt 2, .py 1" in said
    assert "1 no plain files (pipe.txt)" in said
    assert path_of(path_text(odd)) == odd
    assert matches("a/B.PY", "*.py")
    assert not matches("a/b/c.py", "a/*.py")


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        ((), ["A.PY", "b.md", "d/c.Txt", "d/e/f.py.gz"]),
        ("*.py", ["A.PY"]),
        ("**/*.py", ["A.PY"]),
        ("*.py*", ["A.PY", "d/e/f.py.gz"]),
        ("d/*", ["d/c.Txt", "d/g.bin"]),
        ("d/**", ["d/c.Txt", "d/e/f.py.gz", "d/g.bin"]),
        (["b.*", "**/e/*"], ["b.md", "d/e/f.py.gz"]),
        ("*", ["A.PY", "b.md", "d/c.Txt", "d/e/f.py.gz", "d/g.bin"]),
    ],
)
def test_patterns_choose(tmp_path: Path, globs: object, names: list[str]) -> None:
    """Else endings of prose and code, in any case; hidden and vendored parts never."""
    hidden = [".git/a.py", ".venv/a.py", ".ipynb_checkpoints/a.py", "d/.h.py"]
    made = ["node_modules/a.py", "d/__pycache__/a.py", "__MACOSX/a.py", "env/lib/a.py"]
    for name in ["A.PY", "b.md", "d/c.Txt", "d/e/f.py.gz", "d/g.bin", *hidden, *made]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"a line of {name}\n".encode() * 300)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    config = CorpusConfig.model_validate({"path": str(tmp_path), "glob": globs})
    found = find_files(tmp_path, "text", config.glob)
    assert [found.name_of(file) for file in found.files] == names
    said = "\n".join(load(tmp_path, glob=globs).remarks)
    assert f"read {len(names)} file" in said
    assert "4 hidden (.git, .ipynb_checkpoints, .venv, ...)" in said
    assert "4 made by programs (__MACOSX, d/__pycache__, env, ...)" in said


@pytest.mark.parametrize("globs", [(), ["*.py", "a/**"]])
def test_a_folder_without_texts_says_what_it_holds(tmp_path: Path, globs: object) -> None:
    """So that a pattern can be chosen."""
    for name in ("a.png", "b.png", ".c.txt"):
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=r"holds no file (of format 'text'|that )") as no:
        load(tmp_path, glob=globs)
    assert "1 hidden (.c.txt), 2 with other endings (.png 2; --glob" in str(no.value)


def test_a_pattern_is_for_a_folder(tmp_path: Path) -> None:
    """A file needs no choice."""
    (tmp_path / "t.txt").write_text("words\n" * 900, encoding="utf-8")
    message = documented("corpus.glob (--glob) chooses files of a folder")
    with pytest.raises(CorpusError, match=re.escape(message)):
        load(tmp_path / "t.txt", glob="*.txt")


@pytest.mark.parametrize("name", [b"caf\xe9.txt", b"'\xff\\ x", b"-\x80"])
def test_names_that_are_not_utf_8_survive(name: bytes) -> None:
    """Config and back; in messages escaped, and for a shell as it reads them."""
    path = Path(os.fsdecode(b"/t/" + name))
    text = path_text(path)
    assert path_of(text) == path
    # A name that is no Unicode can stand in no config as it is.
    assert CorpusConfig(path=text).path == text
    shown(path).encode()
    words = f"printf %s {for_shell(str(path))}"
    printed = subprocess.run(["bash", "-c", words], capture_output=True, check=True)
    assert printed.stdout == b"/t/" + name


@pytest.mark.parametrize("address", ["file:///t/x.txt", "file:///t/a%20b"])
def test_addresses_of_plain_names_are_still_named(address: str) -> None:
    """A path needs none."""
    with pytest.raises(ValueError, match="is an address: give the path itself"):
        CorpusConfig(path=address)
