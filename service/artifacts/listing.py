"""The store as a table for people."""

from __future__ import annotations

from pathlib import Path

from service.artifacts.errors import ArtifactError
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore

Line = tuple[str, ...]
_HEADINGS = ("MODEL", "PRECISION", "VOCABULARY", "STATE", "NATS/TOKEN", "BITS/CHAR", "STATUS")


def list_store(root: Path) -> tuple[list[Line], bool]:
    """Headings, then a line for every version; and whether all of them are whole."""
    store = ModelStore(root)
    described = [
        _describe(store, name, version)
        for name in store.names()
        for version in store.versions(name)
    ]
    return [_HEADINGS, *(line for line, _ in described)], all(whole for _, whole in described)


def _describe(store: ModelStore, name: str, version: int) -> tuple[Line, bool]:
    try:
        manifest = store.verify(name, version).manifest
    except ArtifactError as error:
        return (str(Reference(name, version)), "-", "-", "-", "-", "-", f"broken: {error}"), False
    figures = manifest.evaluations
    figure = next((e for e in figures if e.precision == manifest.precision), None)
    figure = figure or next(iter(figures), None)
    return (
        manifest.ref,
        manifest.precision,
        str(manifest.vocabulary_size),
        f"{manifest.state_width * 4} B",
        f"{figure.nats_per_token:.4f}" if figure else "-",
        f"{figure.bits_per_character:.4f}" if figure else "-",
        "ok",
    ), True
