"""A date outlives damage to the manifest that holds it."""

import json
from datetime import UTC, datetime

import pytest

from service.artifacts.publication import may_be_a_version, published_at
from tests import tiny_model

_DATE = "2026-03-04T05:06:07+00:00"
_CARD = f"# tiny\n\n- seed: 0\n- program: 0.1.0, torch 2.13.0, {_DATE}\n\n## More\n"


@pytest.fixture
def folder(tmp_path):
    """A version with a page that is dated as the manifest is."""
    return tiny_model.publish(tmp_path, created_at=_DATE, documents={"README.md": _CARD})


def _edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def _leave(_folder):
    pass


def _without_page(folder):
    (folder / "README.md").unlink()


def _cut(folder):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    "harm",
    [
        _leave,
        _without_page,
        lambda f: (_without_page(f), _edit(f, surprise=1)),
        lambda f: (_without_page(f), _edit(f, name="other")),
        lambda f: (_without_page(f), _cut(f)),
        lambda f: (f / "manifest.json").write_bytes(b"{"),
        lambda f: (f / "manifest.json").unlink(),
        lambda f: (f / "model.onnx").unlink(),
    ],
    ids=["none", "page", "field", "name", "cut", "emptied", "manifest", "model"],
)
def test_the_date_is_found(folder, harm):
    """While anything holds it that publishing has written."""
    harm(folder)

    assert datetime.fromisoformat(_DATE) == published_at(folder)


def test_nothing_is_guessed(folder):
    """No date is none, and so is one that nobody can read."""
    _edit(
        folder,
        provenance=json.loads((folder / "manifest.json").read_text())["provenance"]
        | {"created_at": "in spring"},
    )
    assert published_at(folder) is None
    (folder / "manifest.json").write_bytes(b"{")
    (folder / "README.md").write_text("- program: 0.1.0, torch 2.13.0, yesterday\n")
    assert published_at(folder) is None


def test_dates_can_be_compared(tmp_path):
    """Wherever they are of."""
    folders = [
        tiny_model.publish(tmp_path, version=n, created_at=date)
        for n, date in enumerate(["2026-01-01", "2026-01-01T01:00:00+02:00"], 1)
    ]
    dates = [published_at(folder) for folder in folders]

    assert [datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, 23, tzinfo=UTC)] == dates


def test_a_folder_without_a_graph_never_was_a_version(folder, tmp_path):
    """Versions appear whole."""
    stray = tmp_path / "tiny" / "2"
    stray.mkdir()
    for name in (".DS_Store", "Thumbs.db", "manifest.json"):
        (stray / name).touch()

    assert may_be_a_version(folder)
    assert not may_be_a_version(stray)
