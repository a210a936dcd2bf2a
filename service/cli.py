"""lstm-serve: serve | models | healthcheck."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import httpx
from pydantic import ValidationError

from service import __version__
from service.artifacts.errors import ArtifactError
from service.artifacts.store import ModelStore
from service.observability import logs
from service.settings import ENV_PREFIX, Settings, UnknownSetting, refuse_unknown_environment

# Longer than clients and proxies keep idle connections (5 to 60 s): it must not be the server that
# closes first, or a request that is sent at that moment is lost.
_KEEP_ALIVE_S = 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    run = options.pop("run")
    try:
        refuse_unknown_environment()
        settings = Settings(**{name: value for name, value in options.items() if value is not None})
        return int(run(settings))
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = ".".join(str(part) for part in fault["loc"])
            _complain(f"{ENV_PREFIX}{name.upper()} (--{name.replace('_', '-')}): {fault['msg']}")
        return 2
    except UnknownSetting as error:
        _complain(str(error))
        return 2


def serve(settings: Settings) -> int:
    """Serve the models of the store until SIGTERM or Ctrl-C."""
    # Here and not above: a healthcheck every few seconds should not import a server.
    import uvicorn

    from service.app import create_app
    from service.models.errors import CannotServe
    from service.server import Server

    logs.configure(settings.log_format, settings.log_level)
    # The engine lets go of the interpreter's lock in each run of the graph. After Python's default
    # of 5 ms until a busy event loop gives it back, it would wait longer than it computes.
    sys.setswitchinterval(0.0005)
    try:
        app = create_app(settings)
    except CannotServe as error:
        _complain(str(error))
        return 1
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    state = app.state.service
    server = Server(
        config,
        state,
        grace_period_s=settings.grace_period_s,
        on_started=lambda: _greet(settings, [model.ref for model in state.inference.models]),
    )
    server.run()
    return 0 if server.started else 1


def models(settings: Settings) -> int:
    """List the store: every version, its figures, and whether it is whole."""
    store = ModelStore(settings.model_store)
    lines: list[tuple[str, ...]] = [
        ("MODEL", "PRECISION", "VOCABULARY", "STATE", "NATS/TOKEN", "BITS/CHAR", "STATUS")
    ]
    healthy = True
    for name in store.names():
        for version in store.versions(name):
            line, whole = _describe(store, name, version)
            lines.append(line)
            healthy &= whole
    if len(lines) == 1:
        _complain(f"{store.root} holds no models")
        return 1
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    return 0 if healthy else 1


def healthcheck(settings: Settings) -> int:
    """Ask the server on this machine whether it is ready."""
    url = f"http://{_reachable(settings.host)}:{settings.port}/health/ready"
    try:
        response = httpx.get(url, timeout=2)
    except httpx.HTTPError as error:
        _complain(f"no answer: {error}")
        return 1
    sys.stdout.write(response.text + "\n")
    return 0 if response.status_code == 200 else 1


_COMMANDS = {"serve": serve, "models": models, "healthcheck": healthcheck}
_SETTINGS_OF = {
    "serve": tuple(Settings.model_fields),
    "models": ("model_store",),
    "healthcheck": ("host", "port"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lstm-serve", description="Serve text from recurrent language models over HTTP."
    )
    parser.add_argument("--version", action="version", version=f"lstm-serve {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run in _COMMANDS.items():
        summary = (run.__doc__ or "").strip()
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary} Every option can also be set in the environment.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        for setting in _SETTINGS_OF[name]:
            _add_option(command, setting)
    return parser


def _add_option(parser: argparse.ArgumentParser, name: str) -> None:
    field = Settings.model_fields[name]
    default = field.default
    shown = ",".join(default) if isinstance(default, tuple) else default
    notes = [f"env {ENV_PREFIX}{name.upper()}"]
    if shown not in (None, ""):
        notes.append(f"default {shown:g}" if isinstance(shown, float) else f"default {shown}")
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        metavar=_metavar(field.annotation),
        help=f"{field.description} [{'; '.join(notes)}]".replace("%", "%%"),
    )


def _metavar(annotation: Any) -> str:
    """What a value looks like, for the help."""
    if get_origin(annotation) is Literal:
        return "{" + ",".join(get_args(annotation)) + "}"
    if get_origin(annotation) in (Union, UnionType):
        return _metavar(next(arg for arg in get_args(annotation) if arg is not type(None)))
    if get_origin(annotation) is Annotated:
        return _metavar(get_args(annotation)[0])
    return {int: "N", float: "X", Path: "DIR", str: "TEXT"}.get(annotation, "NAME,...")


def _describe(store: ModelStore, name: str, version: int) -> tuple[tuple[str, ...], bool]:
    ref = f"{name}@{version}"
    try:
        manifest = store.verify(name, version).manifest
    except ArtifactError as error:
        return (ref, "-", "-", "-", "-", "-", f"broken: {error}"), False
    figure = next(
        (e for e in manifest.evaluations if e.precision == manifest.precision), None
    ) or next(iter(manifest.evaluations), None)
    return (
        ref,
        manifest.precision,
        str(manifest.vocabulary_size),
        f"{manifest.state_width * 4} B",
        f"{figure.nats_per_token:.4f}" if figure else "-",
        f"{figure.bits_per_character:.4f}" if figure else "-",
        "ok",
    ), True


def _reachable(host: str) -> str:
    """An address that reaches a server on this machine that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)


def _greet(settings: Settings, refs: Iterable[str]) -> None:
    """Tell a person at a terminal what to do next."""
    url = f"http://{_reachable(settings.host)}:{settings.port}"
    body = '{"prompt":"ROMEO:","max_tokens":200,"seed":7,"stream":true}'
    sys.stdout.write(
        f"lstm-serve {__version__}: {', '.join(refs)}\n"
        f"  {url}/docs\n"
        f"  curl -N {url}/generate -H 'content-type: application/json' -d '{body}'\n"
    )
    sys.stdout.flush()


def _complain(message: str) -> None:
    sys.stderr.write(f"lstm-serve: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
