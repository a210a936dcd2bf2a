import os
from pathlib import Path

import pytest

from service.runtime.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch):
    """A machine of eight, whatever it is."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("6400000 100000\n", 8),
        ("max 100000\n", 8),
        ("nonsense\n", 8),
    ],
)
def test_a_container_has_the_cores_of_its_limit(tmp_path: Path, quota: str, cores: int):
    """Whole ones, at least one, and no more than there are."""
    file = tmp_path / "cpu.max"
    file.write_text(quota, encoding="ascii")

    assert cores == usable_cores(file)


def test_without_a_limit_it_has_all(tmp_path: Path):
    """Where there are no control groups."""
    assert 8 == usable_cores(tmp_path / "none")
