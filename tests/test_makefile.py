"""`make` and the virtual environment that it finds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def _checkout(folder: Path) -> Path:
    """A folder with what the Makefile reads, and an environment in which all is installed."""
    folder.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=folder, check=True)
    [packages] = folder.glob(".venv/lib/*/site-packages")
    (packages / "pip.py").touch()
    (folder / ".venv/serving").touch()
    (folder / ".venv/complete").touch()
    return folder


def _planned(folder: Path, verb: str) -> str:
    """What a verb would do."""
    return subprocess.run(
        ["make", "--dry-run", verb, f"PYTHON={sys.executable}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _is_made_anew(folder: Path) -> bool:
    """Environment and installation, for every verb; or neither."""
    plans = [_planned(folder, verb) for verb in ("run", "lint")]
    is_anew = {("-m venv --clear .venv" in plan, "-m pip install" in plan) for plan in plans}
    assert is_anew in ({(True, True)}, {(False, False)})
    return is_anew == {(True, True)}


@pytest.mark.parametrize("name", ["plain", "with space", "brackets [a].*"])
def test_a_whole_environment_stays(tmp_path: Path, name: str):
    """Whatever its folder is called."""
    assert not _is_made_anew(_checkout(tmp_path / name))


def test_an_environment_without_pip_is_made_anew(tmp_path: Path):
    """Nothing can be installed into it."""
    folder = _checkout(tmp_path / "a")
    next(folder.glob(".venv/lib/*/site-packages/pip.py")).unlink()

    assert _is_made_anew(folder)


def test_an_environment_without_its_python_is_made_anew(tmp_path: Path):
    """The interpreter that it was made of is gone."""
    folder = _checkout(tmp_path / "a")
    (folder / ".venv/bin/python").unlink()
    (folder / ".venv/bin/python").symlink_to("/no/such/python")

    assert _is_made_anew(folder)


@pytest.mark.parametrize("name", ["b", "b/a"])
def test_an_environment_of_another_folder_is_made_anew(tmp_path: Path, name: str):
    """Copied or moved with it; its scripts would run the other folder's code."""
    folder = _checkout(tmp_path / "a")
    copied = shutil.copytree(folder, tmp_path / name, symlinks=True)
    moved = folder.rename(tmp_path / "moved")

    assert _is_made_anew(copied)
    assert _is_made_anew(moved)


def test_without_an_environment_one_is_made(tmp_path: Path):
    """At first."""
    folder = _checkout(tmp_path / "a")
    shutil.rmtree(folder / ".venv")

    assert _is_made_anew(folder)
