"""Rules of the house that neither ruff nor import-linter can hold."""

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
CODE = ("service", "training", "tests", "benchmarks")
MODULES = sorted(path for folder in CODE for path in (REPOSITORY / folder).rglob("*.py"))


def test_no_module_is_a_drawer_for_everything():
    """A module is named after what it holds."""
    drawers = {"common.py", "helpers.py", "misc.py", "util.py", "utils.py"}

    assert [] == [str(path) for path in MODULES if path.name in drawers]


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md"])
def test_the_documents_name_every_package(document: str):
    """Who reads the map finds every room on it."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")

    assert [] == [name for name in ("service", "training", "model_store") if f"{name}/" not in text]


@pytest.mark.parametrize("package", ["service", "training"])
def test_architecture_names_every_room(package: str):
    """A new package is a new room of the house, and needs its line."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = sorted(path.parent.name for path in (REPOSITORY / package).glob("*/__init__.py"))

    assert [] == [room for room in rooms if f"{room}/" not in text]


@pytest.mark.parametrize("package", ["service", "training"])
def test_the_tests_mirror_the_rooms(package: str):
    """A test of a room lies in the folder of that room."""
    tests = REPOSITORY / "tests" / package
    folders = {path.parent.relative_to(tests) for path in tests.rglob("*.py")}

    assert [] == [folder for folder in folders if not (REPOSITORY / package / folder).is_dir()]


def test_no_file_of_code_is_long():
    """What takes more than 300 lines holds two things."""
    assert [] == [
        str(path) for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > 300
    ]


def test_every_requirement_is_pinned():
    """What an extra installs has its version in constraints.txt."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    required = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pinned = {_name(line) for line in constraints.splitlines() if "==" in line}

    assert set() == {_name(line) for line in required} - pinned - {project["name"]}


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def test_serving_never_reports_to_anybody():
    """Onnxruntime's telemetry is off before onnxruntime is imported; later would be too late."""
    program = (
        "import os, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'onnxruntime':\n"
        "            assert os.environ.get('ORT_DISABLE_TELEMETRY') == '1'\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import service.runtime.step\n"
        "assert 'onnxruntime' in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, env={}, check=True)
