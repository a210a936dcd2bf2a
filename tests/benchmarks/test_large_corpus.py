"""The benchmark of large corpora."""

from pathlib import Path

import pytest

from benchmarks import large_corpus


def test_texts_are_as_large_as_asked(tmp_path: Path):
    """And UTF-8, in lines, of two scripts."""
    large_corpus.write_text(tmp_path / "t.txt", 2_500_000)
    assert 2_499_990 <= (tmp_path / "t.txt").stat().st_size <= 2_500_000
    text = (tmp_path / "t.txt").read_text(encoding="utf-8")
    assert max(map(len, text.split("\n"))) < 120
    assert {"a", "z", "一"} <= set(text)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_both_texts_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A row each, with what was found: ten times the text takes no more memory."""
    large_corpus.main(["--megabytes", "30", "--folder", str(tmp_path)])
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split(" MB")[0].strip() for row in rows] == ["3", "30"]
    small, large = (int(row.split()[-2]) for row in rows)
    assert 50 < small
    assert large < small + 20
