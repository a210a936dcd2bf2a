"""Stores with models that are damaged in one way or another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import step_graphs, tiny_model

SIZES = {"width": tiny_model.WIDTH, "vocabulary_size": tiny_model.VOCABULARY_SIZE}
PANIC = json.dumps(
    {
        "version": "1.0",
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": ""},
    }
).encode()
"""A tokenizer at which the library panics: what it raises is no Exception."""


def harmed(harm: Callable[[Path], object]) -> Callable[..., Path]:
    """Publishes a version and harms it."""

    def publish(root: Path, name: str, version: int, **options: Any) -> Path:
        folder = tiny_model.publish(root, name, version, **options)
        harm(folder)
        return folder

    return publish


def of_parts(**parts: Any) -> Callable[..., Path]:
    """Publishes a version that is whole, of parts that cannot be used."""

    def publish(root: Path, name: str, version: int, **options: Any) -> Path:
        return tiny_model.publish(root, name, version, **parts, **options)

    return publish


def edit(folder: Path, **changes: object) -> None:
    """Change fields of a manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def _folder_in_place(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()


DAMAGED: dict[str, Callable[..., Path]] = {
    "manifest missing": harmed(lambda f: (f / "manifest.json").unlink()),
    "manifest emptied": harmed(lambda f: (f / "manifest.json").write_bytes(b"{")),
    "manifest of another": harmed(lambda f: edit(f, name="another")),
    "manifest of tomorrow": harmed(lambda f: edit(f, schema_version=2)),
    "model missing": harmed(lambda f: (f / "model.onnx").unlink()),
    "model changed": harmed(lambda f: (f / "model.onnx").write_bytes(b"broken")),
    "model a folder": harmed(_folder_in_place),
    "tokenizer missing": harmed(lambda f: (f / "tokenizer.json").unlink()),
    "no graph": of_parts(graph=b"not a graph"),
    "not loaded": of_parts(graph=step_graphs.bfloat16(**SIZES)),
    "not run": of_parts(graph=step_graphs.of_a_fixed_batch(**SIZES)),
    "no tokenizer": of_parts(tokenizer=b"{}"),
    "panic": of_parts(tokenizer=PANIC),
}
"""By the kind of damage, what publishes a version that has it."""
