"""The store as a table for people."""

from __future__ import annotations

from pathlib import Path

from service.artifacts.errors import ArtifactError
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.models.checked import CheckedModel

Line = tuple[str, ...]
_HEADINGS = ("MODEL", "PRECISION", "VOCABULARY", "STATE", "NATS/TOKEN", "BITS/CHAR", "STATUS")


def list_store(root: Path) -> tuple[list[Line], bool]:
    """Headings, then a line for every version; and whether all of them can be served.

    Raises:
        Unreadable: The store itself cannot be read.
    """
    store = ModelStore(root)
    described = [line for name in store.names() for line in _describe_all(store, name)]
    return [_HEADINGS, *(line for line, _ in described)], all(whole for _, whole in described)


def _describe_all(store: ModelStore, name: str) -> list[tuple[Line, bool]]:
    try:
        versions = store.versions(name)
    except ArtifactError as error:
        return [(_broken(Reference(name), error), False)]
    return [_describe(store, Reference(name, version)) for version in versions]


def _describe(store: ModelStore, reference: Reference) -> tuple[Line, bool]:
    """One line. The model is run: some are whole and yet cannot be."""
    try:
        model = CheckedModel.of(store, reference)
        model.decoder(capacity=2, num_threads=1)
    except ArtifactError as error:
        return _broken(reference, error), False
    manifest = model.artifact.manifest
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
        "; ".join(("ok", *model.artifact.remarks)),
    ), True


def _broken(reference: Reference, error: ArtifactError) -> Line:
    return (str(reference), "-", "-", "-", "-", "-", f"broken: {error}")
