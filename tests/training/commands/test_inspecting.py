"""`lstm-train inspect` and `revise`."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.cli import main

STORE = str(Path(__file__).parents[3] / "model_store")
SHORT = ["--store", STORE, "--num-tokens", "150", "--excerpt", "24"]


def test_pictures_and_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Of a model of items, and the best unit of each thing that is in its text."""
    folder = tmp_path / "new" / "inside"
    assert 0 == main(["inspect", "names", *SHORT, "--output", str(folder)])
    page = capsys.readouterr().out
    names = {path.name for path in folder.iterdir()}

    assert "memory in tokens" in " ".join(page.split())
    assert "line start" in page
    fixed = {"saturation.png", "memory.png", "gates.png", "attribution.png", "by-column.png"}
    assert fixed | {"units.html"} < names
    assert any(name.startswith("unit-layer0.") for name in names)
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    html = (folder / "units.html").read_text(encoding="utf-8")
    assert html.count("<h2>") == len([name for name in names if name.startswith("unit-")])


def test_a_text_and_units_of_ones_own(tmp_path: Path):
    """Only these units are drawn."""
    text = tmp_path / "text.txt"
    text.write_text("emma\nolivia\nava\n", encoding="utf-8")
    folder = tmp_path / "inside"
    asked = ["--text", str(text), "--unit", "layer0.c.3", "--unit", "layer0.f.200"]
    assert 0 == main(["inspect", "names", *SHORT, *asked, "--output", str(folder)])
    units = {path.name for path in folder.glob("unit-*")}
    assert {"unit-layer0.c.3.png", "unit-layer0.f.200.png"} == units


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--unit", "layer0.g.1"], "the model has layer0.i"),
        (["--unit", "layer0.c.256"], "0 to 255"),
        (["--unit", "layer0.c"], "the model has"),
        (["--start", "500"], "leaves nothing"),
        (["--text", "nowhere.txt"], "cannot read text nowhere.txt"),
    ],
)
def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], words: str):
    """In words."""
    output = ["--output", str(tmp_path / "inside")]
    assert 1 == main(["inspect", "names", *SHORT, *asked, *output])
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_folder_that_cannot_be_made_is_named_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Here a file stands there."""
    (tmp_path / "taken").write_text("")
    assert 1 == main(["inspect", "names", *SHORT, "--output", str(tmp_path / "taken")])
    found = capsys.readouterr()
    assert "--output" in found.err
    assert "gates" not in found.out


def test_revise(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """An unknown model is refused; a temperature out of range too."""
    assert 1 == main(["revise", "nobody", "--store", str(tmp_path)])
    assert "nobody" in capsys.readouterr().err
    assert 2 == main(["revise", "names", "--store", STORE, "--temperature", "11"])
