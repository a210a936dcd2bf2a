"""Which program made a model: package version and, in a git checkout, the commit."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

_DISTRIBUTION = "lstm-serve"
_PACKAGE = Path(__file__).parents[1]


def code_version() -> str:
    """For example `0.1.0+git.1f2e3d4c5b6a`, with `.dirty` if this package was changed since."""
    try:
        version = metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        version = "unknown"
    commit = _commit(_PACKAGE)
    return f"{version}+git.{commit}" if commit else version


def _commit(package: Path) -> str | None:
    # An installed copy may lie inside of somebody else's repository: only tracked files count.
    if _git(package, "ls-files", "--error-unmatch", "cli.py") is None:
        return None
    commit = _git(package, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    changed = _git(package, "status", "--porcelain", "--", ".")
    return f"{commit}.dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command, None if there is no git or it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
