"""What would be served: the store's versions, the models, the sessions."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from service.app import loader
from service.artifacts.aliases import read_aliases
from service.artifacts.errors import ArtifactError
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.commands.doctor import machine
from service.commands.doctor.finding import Finding
from service.limits import session_limits
from service.models.checked import CheckedModel
from service.models.errors import CannotServe
from service.runtime.memory import available_bytes, resident_bytes
from service.sessions.errors import StoreTooNew
from service.sessions.places import is_redis, open_store, path_of, shown
from service.sessions.sqlite.schema import APPLICATION_ID, VERSION
from service.settings import Settings


def versions(settings: Settings) -> Iterator[Finding]:
    """Each version: its bytes, its graph, its tokenizer; and what the aliases mean."""
    store = ModelStore(settings.model_store)
    try:
        found = [Reference(name, n) for name in store.names() for n in store.versions(name)]
        aliases = read_aliases(store.root)
    except ArtifactError as error:
        yield Finding("store", "fix", str(error), "mend it, or name another LSTM_SERVE_MODEL_STORE")
        return
    for reference in found:
        try:
            CheckedModel.of(store, reference)
        except ArtifactError as error:
            advice = f"publish it again, or lstm-serve models remove {reference}"
            yield Finding("store", "fix", f"{reference}: {error.below(store.root)}", advice)
        else:
            yield Finding("store", "ok", f"{reference} is whole")
    for name, target in aliases.items():
        if target not in found:
            advice = f"lstm-serve models alias {name} NAME@VERSION, or --remove"
            yield Finding("store", "fix", f"{name} means {target}, which is not there", advice)


def served(settings: Settings) -> Iterator[Finding]:
    """The models, loaded as a server loads them: what they are, and the memory that they take."""
    available = available_bytes()
    before = resident_bytes()
    try:
        with _quiet():
            registry = loader(settings).load()
    except CannotServe as error:
        advice = "publish a model (lstm-train), or name the store: LSTM_SERVE_MODEL_STORE"
        yield Finding("models", "fix", str(error), advice)
        return
    names = ", ".join(model.ref for model in registry)
    if registry.default is None:
        advice = "set LSTM_SERVE_DEFAULT_MODEL, or mend it"
        yield Finding("models", "fix", registry.default_fault, advice)
    else:
        yield Finding("models", "ok", f"{names}; by default {registry.default.ref}")
    num = len(list(registry))
    caches = num * settings.prefix_cache_bytes
    needed = resident_bytes()
    if available is not None:
        available += before  # this process will be gone
    yield from machine.memory(needed, caches, available, num)


def sessions(settings: Settings) -> Iterator[Finding]:
    """Whether their file can be read and written, and has room on its disk."""
    if is_redis(settings.session_store):
        yield _redis(settings)
        return
    path = path_of(settings.session_store)
    if path is None:
        yield Finding("sessions", "ok", "in memory: they are gone with the server")
        return
    fault = _fault_of_file(path)
    if fault is not None:
        yield Finding("sessions", "fix", *fault)
        return
    folder = next(each for each in path.parents if each.exists())
    free = shutil.disk_usage(folder).free
    if free < settings.max_session_bytes:
        advice = "make room, or set LSTM_SERVE_SESSION_STORE or LSTM_SERVE_MAX_SESSION_BYTES"
        message = f"{path}: {free / 1e6:,.0f} MB are free, and sessions may take "
        yield Finding(
            "sessions", "note", f"{message}{settings.max_session_bytes / 1e6:,.0f} MB", advice
        )
        return
    yield Finding("sessions", "ok", f"{path}, with {free / 1e6:,.0f} MB free on its disk")


def _redis(settings: Settings) -> Finding:
    """Whether it answers, and what it holds is of a program that we know."""
    url = shown(settings.session_store)
    try:
        fault = open_store(settings.session_store, session_limits(settings)).fault
    except StoreTooNew as error:
        return Finding("sessions", "fix", f"{url}: {error}", "install that one")
    if fault is not None:
        return Finding("sessions", "fix", f"{url}: {fault}", "start it, or mend the URL")
    return Finding("sessions", "ok", f"{url} answers")


def _fault_of_file(path: Path) -> tuple[str, str] | None:
    """What is wrong with it, and what to do; nothing is written."""
    folder = next(each for each in path.parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        advice = "let the server's user write there, or set LSTM_SERVE_SESSION_STORE"
        return f"{path}: nothing can be written in {folder}", advice
    if not path.exists():
        return None
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{path}: cannot be read and written", "give it to the server's user"
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            [(application,)] = connection.execute("PRAGMA application_id")
            [(version,)] = connection.execute("PRAGMA user_version")
            [(state,), *_] = connection.execute("PRAGMA quick_check(1)")
    except sqlite3.Error as error:
        return f"{path}: {error}", "restore it from a backup, or move it away"
    if application not in (0, APPLICATION_ID):
        return f"{path}: is the database of another program", "set LSTM_SERVE_SESSION_STORE"
    if version > VERSION:
        return f"{path}: was written by a newer lstm-serve", "install that one, or move it away"
    if state != "ok":
        return f"{path}: {state}", "restore it from a backup, or move it away"
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """What loading says is said by findings."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
