"""`lstm-serve models`: the store: list it, verify it, take something out, give names."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field
from pydantic_settings import CliPositionalArg, CliSubCommand, CliToggleFlag

from service.observability.streams import CannotSay, complain, say
from service.settings import Settings, StoreSettings

if TYPE_CHECKING:
    from service.artifacts.reference import Reference
    from service.artifacts.store import ModelStore


class _OfStore(BaseModel):
    # No setting, or its variable would go before `lstm-serve models --model-store`.
    model_store: Path | None = Field(None, description="Folder of the published models.")


class Verify(_OfStore):
    """Check every byte and every graph, and run a sample of each version in two ways."""

    name: CliPositionalArg[str] = Field("", description="NAME or NAME@VERSION; all without it.")


class Remove(_OfStore):
    """Take a version out of the store, at once or not at all."""

    version: CliPositionalArg[str] = Field(description="NAME@VERSION.")
    yes: CliToggleFlag[bool] = Field(False, description="Do not ask.")


class Alias(_OfStore):
    """Let a name mean a version: `alias prod shakespeare@3`. Moving it back is a rollback."""

    name: CliPositionalArg[str] = Field(description="The alias; a model's own name pins it.")
    target: CliPositionalArg[str] = Field(
        "", description="NAME@VERSION, or NAME for its newest version now."
    )
    remove: CliToggleFlag[bool] = Field(False, description="Let the name mean nothing any more.")


class Models(StoreSettings):
    """List the store: every version, its figures, whether it can be served, and the aliases."""

    verify: CliSubCommand[Verify] = Field(description="Check versions thoroughly.")
    remove: CliSubCommand[Remove] = Field(description="Take a version out of the store.")
    alias: CliSubCommand[Alias] = Field(description="Let a name mean a version.")


class _Refused(Exception):
    """It cannot be done; the message says why."""


def models(asked: Models) -> int:
    """Do what is asked of the store; the exit status."""
    # Here and not above, as for `serve`.
    from service.artifacts.errors import ArtifactError

    told = asked.verify or asked.remove or asked.alias
    root = asked.model_store
    if told is not None and told.model_store is not None:
        root = told.model_store
    try:
        match told:
            case Verify(name=name):
                return _verify(root, name)
            case Remove(version=version, yes=is_sure):
                return _remove(root, version, is_sure=is_sure)
            case Alias(name=name, target=target, remove=is_removed):
                return _alias(root, name, target, is_removed=is_removed)
        return _list(root)
    except _Refused as error:
        complain(str(error))
    except ArtifactError as error:
        complain(str(error))
    except CannotSay:
        raise
    except OSError as error:
        complain(f"{error.filename or root}: {error.strerror}")
    return 1


def _list(root: Path) -> int:
    from service.artifacts.aliases import read_aliases
    from service.models.listing import list_store

    lines, is_whole = list_store(root)
    if len(lines) == 1:
        raise _Refused(f"{root} holds no models")
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip() + "\n")
    for name, target in read_aliases(root).items():
        say(f"alias {name}: {target}\n")
    return 0 if is_whole else 1


def _verify(root: Path, name: str) -> int:
    from service.artifacts.store import ModelStore
    from service.models.verifying import verify_all

    found = verify_all(ModelStore(root), _reference(name) if name else None)
    if not found:
        raise _Refused(f"{root} holds no model {name!r}" if name else f"{root} holds no models")
    for reference, fault in found:
        say(f"{reference}  {fault or 'ok: checksums, graph, and a sample computed in two ways'}\n")
    return 1 if any(fault for _, fault in found) else 0


def _remove(root: Path, version: str, *, is_sure: bool) -> int:
    from service.artifacts.removal import remove_version
    from service.artifacts.store import ModelStore

    store, reference = ModelStore(root), _reference(version)
    if reference.version is None:
        raise _Refused(f"{version} names no version: say which, as {version}@1")
    if reference.version not in store.versions(reference.name):
        raise _Refused(f"{root} holds no {reference}")
    _require_unneeded(root, reference)
    if not is_sure and not _agrees(f"remove {reference} from {root}?"):
        complain("nothing was removed")
        return 1
    remove_version(store, reference)
    say(f"{reference} is removed; a server that has loaded it goes on until it is restarted\n")
    return 0


def _require_unneeded(root: Path, reference: Reference) -> None:
    """Raise _Refused if an alias or a live session needs it, as far as can be known."""
    from service.artifacts.aliases import read_aliases
    from service.limits import session_limits
    from service.sessions.places import is_redis, path_of, shown
    from service.sessions.sqlite.needed import num_sessions_of

    names = [name for name, target in read_aliases(root).items() if target == reference]
    if names:
        raise _Refused(f"{reference} is what the alias {' and '.join(names)} means: move it first")
    settings = Settings()
    if is_redis(settings.session_store):
        where = shown(settings.session_store)
        complain(f"warning: whether sessions in {where} need {reference} is not known")
        return
    path = path_of(settings.session_store)
    if path is None:
        return
    num = num_sessions_of(path, str(reference), session_limits(settings), time.time())
    if num is None:
        complain(f"warning: {path} cannot be read: whether sessions need {reference} is not known")
    elif num:
        sessions = "1 session of it goes" if num == 1 else f"{num} sessions of it go"
        raise _Refused(f"{sessions} on in {path}: delete them, or wait until they are over")


def _alias(root: Path, name: str, target: str, *, is_removed: bool) -> int:
    from service.artifacts.aliases import remove_alias, set_alias
    from service.artifacts.store import ModelStore

    if is_removed == bool(target):
        raise _Refused("say what it shall mean, as NAME@VERSION, or --remove")
    if is_removed:
        before = remove_alias(root, name)
        if before is None:
            raise _Refused(f"{root} has no alias {name!r}")
        say(f"{name} means nothing any more; it was {before}\n")
        return 0
    store = ModelStore(root)
    reference = _pinned(store, _reference(target))
    if name in store.names() and name != reference.name:
        raise _Refused(f"{name} is a model itself: only its own versions can have its name")
    store.verify(reference.name, reference.version or 0)
    before = set_alias(root, name, reference)
    was = f"; it was {before}" if before is not None else ""
    say(f"{name} means {reference}{was}; a running server follows within seconds\n")
    return 0


def _pinned(store: ModelStore, reference: Reference) -> Reference:
    """With its version: the newest one if none is named."""
    from service.artifacts.reference import Reference as Pinned

    versions = store.versions(reference.name)
    if not versions or reference.version not in (None, *versions):
        raise _Refused(f"{store.root} holds no {reference}")
    return Pinned(reference.name, reference.version or versions[-1])


def _reference(text: str) -> Reference:
    from service.artifacts.reference import Reference

    try:
        return Reference.parse(text)
    except ValueError as error:
        raise _Refused(str(error)) from error


def _agrees(question: str) -> bool:
    """Whether a person says yes; nobody is asked who cannot answer."""
    if not sys.stdin.isatty():
        raise _Refused("nobody can be asked here: say --yes")
    say(f"{question} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
