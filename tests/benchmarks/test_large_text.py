"""The benchmark of the first minutes with a large text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import large_text
from benchmarks.large_text import Seen


def test_one_line_of_letters(tmp_path: Path) -> None:
    """As long as asked for."""
    large_text.write_dna(tmp_path / "t.txt", 1_500_000)
    text = (tmp_path / "t.txt").read_text(encoding="utf-8")
    assert len(text) == 1_500_000
    assert set(text) == set("ACGT")


def test_words_and_what_is_between_them(tmp_path: Path) -> None:
    """As long as asked for; frequent words and rare ones, in lines."""
    large_text.write_words(tmp_path / "w.txt", 200_001)
    text = (tmp_path / "w.txt").read_bytes()
    assert 199_990 < len(text) <= 200_001
    words = Counter(text.decode().replace(".\n", " ").split())
    assert words.most_common(1)[0][1] > words.total() / 10
    assert sum(number == 1 for number in words.values()) > len(words) / 3
    assert text.count(b"\n") > 1_000


def test_silence_is_what_is_before_the_first_step() -> None:
    """From the start to the first line, between lines, or up to the step."""
    seen = Seen([(2.0, "a"), (5.0, "b"), (30.0, "c")], [(31.0, 1)], first_step_s=6.0)
    assert seen.longest_silence_s == 3.0


@pytest.mark.timeout(240)  # a program is started that loads torch
def test_a_run_is_watched_to_its_first_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory, seconds and silence are shown, and the run has stopped."""
    large_text.main(["--megabytes", "1", "--kind", "dna", "--folder", str(tmp_path)])
    output = capsys.readouterr().out
    assert "first step after" in output
    assert "stopped after step" in output
    assert "words of more than 64 characters" in output
    assert list(tmp_path.iterdir()) == []
