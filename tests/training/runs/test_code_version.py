"""Which program made a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

from training.runs import code_version


def test_code_version_names_the_commit_of_a_checkout(tmp_path: Path) -> None:
    """Or only the version where there is no repository, or it is somebody else's."""
    assert code_version._commit(tmp_path) is None

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True)

    git("init", "--quiet")
    tracked = tmp_path / "cli.py"
    tracked.write_text("", encoding="utf-8")
    assert code_version._commit(tmp_path) is None
    git("add", "cli.py")
    git("commit", "--quiet", "--message", "first")
    commit = code_version._commit(tmp_path)
    assert commit is not None
    assert len(commit) == 12
    tracked.write_text("changed", encoding="utf-8")
    assert code_version._commit(tmp_path) == f"{commit}.dirty"
