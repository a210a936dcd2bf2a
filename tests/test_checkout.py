"""What git makes of the files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from service.artifacts.store import ModelStore

REPOSITORY = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf"])
def test_a_checkout_with_other_line_ends_breaks_no_checksum(tmp_path: Path, setting: str):
    """And no script: git may be set so on any machine."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(REPOSITORY / "model_store" / "names", origin / "model_store" / "names")
    for name in (".gitattributes", "Makefile", "README.md", ".ci/run"):
        (origin / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, origin / name)

    def git(*words: str) -> None:
        nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *words], cwd=origin, env=os.environ | nobody, check=True)

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "all")
    git("clone", "--quiet", "-c", setting, str(origin), str(clone))

    store = ModelStore(clone / "model_store")
    assert "names" == store.verify("names", store.versions("names")[-1]).manifest.name
    assert b"\r\n" not in (clone / "Makefile").read_bytes() + (clone / ".ci/run").read_bytes()
