"""Which models are to be served, and which of them answers requests that name none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile

from service.artifacts.errors import ArtifactError, Unreadable
from service.artifacts.publication import may_be_a_version, published_at
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.models.errors import CannotServe, ModelBroken


def wanted_models(
    store: ModelStore, names: tuple[str, ...], aliases: Mapping[str, Reference]
) -> list[Reference]:
    """What `names` say, each once; without names every model of the store, and what aliases mean.

    Raises:
        CannotServe: A name is none, the store holds nothing of that name, or it cannot be read.
    """
    try:
        found = names or (*store.names(), *map(str, aliases.values()))
    except ArtifactError as error:
        raise CannotServe(str(error)) from error
    wanted = []
    for name in found:
        try:
            reference = aliases.get(name) or Reference.parse(name)
        except ValueError as error:
            raise CannotServe(f"models: {error}") from error
        if not names and reference in aliases.values():
            wanted.append(reference)  # if it is not there, that is a fault of this one only
            continue
        if not _may_be_there(store, reference.name):
            raise CannotServe(f"{store.root} holds no model {name!r}")
        wanted.append(reference)
    return list(dict.fromkeys(wanted))


def first_published(store: ModelStore) -> str:
    """Name of the model that was published before all others, whole or not.

    So neither a later model nor damage ever changes which one it is. A model is as old as the
    oldest of its versions, and these were published in the order of their numbers.

    Raises:
        ModelBroken: It cannot be told: damage has taken the date of a version that may be older.
    """
    oldest: dict[str, datetime] = {}
    undated: dict[str, str] = {}
    for name in store.names():
        try:
            folders = [store.folder(name, version) for version in store.versions(name)]
        except Unreadable as error:
            undated[name] = error.below(store.root)
            continue
        dates = [(folder, published_at(folder)) for folder in folders]
        known = [date for _, date in dates if date]
        if known:
            oldest[name] = min(known)
        before = takewhile(lambda dated: dated[1] is None, dates)
        if lost := next((folder for folder, _ in before if may_be_a_version(folder)), None):
            undated[name] = str(lost.relative_to(store.root))
    if not oldest and len(undated) == 1:
        return next(iter(undated))
    # Of several of one moment the last by name: any rule will do that chance does not decide.
    first = min(sorted(oldest, reverse=True), key=lambda name: oldest[name], default=None)
    others = [where for name, where in undated.items() if name != first]
    if first is None or others:
        raise ModelBroken(
            "which model was published first cannot be told, since nothing says when "
            f"{' and '.join(others) or 'any of them'} was; the setting default_model can name one"
        )
    return first


def _may_be_there(store: ModelStore, name: str) -> bool:
    try:
        return bool(store.versions(name))
    except Unreadable:
        return True
