"""What can be held of the Triton peer without Triton."""

from pathlib import Path

import pytest

from benchmarks import triton


def test_what_pip_said_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An environment that cannot be made names the option, the packages and the reason."""
    monkeypatch.setattr(triton, "_PACKAGES", ("no/such/folder",))

    with pytest.raises(RuntimeError, match=r"(?s)--triton: no/such/folder .*\n.*no/such/folder"):
        triton.environment(tmp_path / "environment")


def test_an_environment_that_is_there_is_taken(tmp_path: Path):
    """Nothing is installed twice."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    python.chmod(0o755)

    assert python == triton.environment(tmp_path)
