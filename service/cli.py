"""lstm-serve: serve | models | healthcheck | capsule | replay."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import shlex
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shtab
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliSettingsSource,
    CliSubCommand,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    get_subcommand,
)

from service import __version__
from service.inspection import Capsule, inspect
from service.observability import logs, streams
from service.observability.streams import CannotSay, complain, say
from service.replay import Replay, replay
from service.server.healthcheck import healthcheck, reachable
from service.settings import (
    ENV_PREFIX,
    AddressSettings,
    Settings,
    StoreSettings,
    UnknownSetting,
    forget_service_links,
    refuse_unknown_environment,
)
from service.signals import end_at_once

if TYPE_CHECKING:
    from service.models.registry import ModelRegistry

_log = logging.getLogger(__name__)
_EXAMPLES = f"""\
examples:
  lstm-serve serve                             the models of ./model_store on port 8000
  lstm-serve serve --models names --port 9000  one of them, elsewhere
  LSTM_SERVE_PORT=9000 lstm-serve serve        every option is a variable too: {ENV_PREFIX}...
  lstm-serve models                            what the store holds
  lstm-serve --print-completion bash           a script that completes commands and options
"""


class Serve(Settings):
    """Serve the models of the store until SIGTERM or Ctrl-C."""


class Models(StoreSettings):
    """List the store: every version, its figures, and whether it can be served."""


class Healthcheck(AddressSettings):
    """Ask the server on this machine whether it is ready."""


class _CommandLine(BaseSettings):
    """Serve text from recurrent language models over HTTP."""

    model_config = SettingsConfigDict(
        cli_prog_name="lstm-serve", cli_kebab_case=True, cli_hide_none_type=True
    )

    serve: CliSubCommand[Serve] = Field(description="Serve the models of the store.")
    models: CliSubCommand[Models] = Field(description="List the store.")
    healthcheck: CliSubCommand[Healthcheck] = Field(description="Ask a server whether it is ready.")
    capsule: CliSubCommand[Capsule] = Field(description="Look at a capsule.")
    replay: CliSubCommand[Replay] = Field(description="Write a text again from its receipt.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment does not say which command it is."""
        return (init_settings,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    streams.open_missing()
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except CannotSay as error:
        complain(str(error))
        return 1


def _run(words: list[str]) -> int:
    if links := forget_service_links():
        complain(f"Kubernetes' addresses of a service are no settings; ignored: {', '.join(links)}")
    try:
        source = _source()
        with streams.collected():  # help, version, completion
            line = CliApp.run(_CommandLine, cli_args=words, cli_settings_source=source)
        refuse_unknown_environment()  # not before: help is for whoever has misspelt a variable
        match get_subcommand(line, is_required=False):
            case Serve() as settings:
                return serve(settings)
            case Models(model_store=root):
                return models(root)
            case Healthcheck(host=host, port=port):
                return healthcheck(host, port)
            case Capsule(inspect=asked) if asked is not None:
                return inspect(asked)
            case Replay() as wanted:
                return replay(wanted)
            case _:
                source.root_parser.print_help(sys.stderr)
                return 2
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = ".".join(str(part) for part in fault["loc"][1:])
            reason = str(fault["msg"]).removeprefix("Value error, ")
            complain(f"{ENV_PREFIX}{name.upper()} (--{name.replace('_', '-')}): {reason}")
        return 2
    except UnknownSetting as error:
        complain(str(error))
        return 2


def _source() -> CliSettingsSource[Any]:
    """The parser that pydantic-settings makes of the settings, with what it cannot know."""
    source: CliSettingsSource[Any] = CliSettingsSource(
        _CommandLine,
        add_argument_method=_add_option,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser = source.root_parser
    parser.epilog = _EXAMPLES
    parser.add_argument("--version", action="version", version=f"lstm-serve {__version__}")
    shtab.add_argument_to(parser, help="print a script for the shell's completion")
    return source


def _add_option(parser: argparse._ActionsContainer, *names: str, **details: Any) -> argparse.Action:
    """Add the setting's variable to an option's help, and leave out a default of nothing."""
    setting = names[0].removeprefix("--").replace("-", "_")
    if setting in Settings.model_fields:
        shown = str(details["help"]).removesuffix(" (default: ())").removesuffix(" (default: null)")
        details["help"] = f"{shown} [env {ENV_PREFIX}{setting.upper()}]"
        if setting == "models":
            details["metavar"] = "NAME,..."
    return parser.add_argument(*names, **details)


def serve(settings: Settings) -> int:
    """Serve the models of the store until SIGTERM or Ctrl-C."""
    # Here and not above: a healthcheck every few seconds should not import a server.
    from service.models.errors import CannotServe
    from service.server.listening import CannotListen, bound

    logs.configure(settings.log_format, settings.log_level)
    # The engine lets go of the interpreter's lock in each run of the graph. After Python's default
    # of 5 ms until a busy event loop gives it back, it would wait longer than it computes.
    sys.setswitchinterval(0.0005)
    try:
        # First of all: a port that is taken is known before models are loaded for seconds.
        with bound(settings.host, settings.port) as sockets:
            return _serve(settings, sockets)
    except (CannotListen, CannotServe) as error:
        complain(str(error))
        return 1


def _serve(settings: Settings, sockets: list[socket.socket]) -> int:
    import uvicorn

    from service.app import create_app
    from service.server.connection import Connection
    from service.server.connections import Connections
    from service.server.descriptors import connections_within_limit
    from service.server.listening import listen, port_of
    from service.server.serving import Server

    app = create_app(settings)
    listen(sockets)
    port = port_of(sockets)
    connections = Connections(connections_within_limit(settings.max_connections))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        http=partial(  # type: ignore[arg-type] # uvicorn only calls it
            Connection, connections=connections, write_timeout_s=settings.write_timeout_s
        ),
        ws="none",
        log_config=None,
        workers=1,  # or uvicorn reads WEB_CONCURRENCY, which is for servers of processes
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type] # a delay like any other
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )
    state = app.state.service

    def on_started() -> None:
        # What is there now stays: looking through it for garbage would hold up the event loop for
        # 100 ms, once many connections have come.
        gc.collect()
        gc.freeze()
        _greet(settings.host, port, state.inference.models)

    server = Server(
        config,
        state,
        connections,
        grace_period_s=settings.grace_period_s,
        on_started=on_started,
    )
    server.run(sockets=sockets)
    return 0 if server.started and not server.has_failed else 1


def models(root: Path) -> int:
    """List the store: every version, its figures, and whether it can be served."""
    # Here and not above, as for `serve`.
    from service.artifacts.errors import Unreadable
    from service.models.listing import list_store

    try:
        lines, is_whole = list_store(root)
    except Unreadable as error:
        complain(str(error))
        return 1
    if len(lines) == 1:
        complain(f"{root} holds no models")
        return 1
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip() + "\n")
    return 0 if is_whole else 1


def _greet(host: str, port: int, models: ModelRegistry) -> None:
    """Tell a person at a terminal what to do next."""
    from service.models.example import example_prompt

    url = f"http://{reachable(host)}:{port}"
    model = models.default or next(iter(models))
    example: dict[str, Any] = {
        "prompt": example_prompt(model.manifest, model.tokenizer),
        "max_tokens": 200,
        "seed": 7,
        "stream": True,
    }
    if models.default is None:
        example["model"] = model.ref
    body = json.dumps(example, ensure_ascii=False, separators=(",", ":"))
    try:
        say(
            f"lstm-serve {__version__}: {', '.join(model.ref for model in models)}\n"
            f"  {url}/docs\n"
            f"  curl -N {url}/generate -H 'content-type: application/json' "
            f"-d {shlex.quote(body)}\n"
        )
    except CannotSay as error:
        _log.info("listening on %s; %s", url, error)


if __name__ == "__main__":
    end_at_once()
    sys.exit(main())
