"""lstm-serve: serve | generate | models | bench | doctor | healthcheck | capsule | replay | key."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

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
from service.commands.bench import Bench, bench
from service.commands.capsule import Capsule, inspect
from service.commands.doctor import Doctor, doctor
from service.commands.generate import Generate, as_word, generate
from service.commands.healthcheck import Healthcheck, healthcheck
from service.commands.key import KeyCommand, new_key
from service.commands.models import Models, models
from service.commands.replay import Replay, replay
from service.commands.serve import Serve, serve
from service.observability import streams
from service.observability.streams import CannotSay, complain
from service.settings import (
    ENV_PREFIX,
    Settings,
    UnknownSetting,
    forget_service_links,
    refuse_unknown_environment,
)
from service.signals import end_at_once

_EXAMPLES = f"""\
examples:
  lstm-serve serve                             the models of ./model_store on port 8000
  lstm-serve serve --models names --port 9000  one of them, elsewhere
  LSTM_SERVE_PORT=9000 lstm-serve serve        every option is a variable too: {ENV_PREFIX}...
  lstm-serve generate "ROMEO:"                 a text, from it or straight from the store
  lstm-serve bench --streams 1,16              what it writes a second, and how soon
  lstm-serve doctor                            whether a server can run here
  lstm-serve models                            what the store holds
  lstm-serve --print-completion bash           a script that completes commands and options
"""
_WITHOUT_VARIABLES = {"bench", "generate", "doctor"}
"""Commands whose options are no settings."""


class _CommandLine(BaseSettings):
    """Serve text from recurrent language models over HTTP."""

    model_config = SettingsConfigDict(
        cli_prog_name="lstm-serve", cli_kebab_case=True, cli_hide_none_type=True
    )

    serve: CliSubCommand[Serve] = Field(description="Serve the models of the store.")
    generate: CliSubCommand[Generate] = Field(description="Write a text into the terminal.")
    models: CliSubCommand[Models] = Field(description="List the store; verify, remove, alias.")
    bench: CliSubCommand[Bench] = Field(description="Measure a running server.")
    doctor: CliSubCommand[Doctor] = Field(description="Check whether a server can run here.")
    healthcheck: CliSubCommand[Healthcheck] = Field(description="Ask a server whether it is ready.")
    capsule: CliSubCommand[Capsule] = Field(description="Look at a capsule.")
    replay: CliSubCommand[Replay] = Field(description="Write a text again from its receipt.")
    key: CliSubCommand[KeyCommand] = Field(description="Make API keys.")

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
        command = get_subcommand(line, is_required=False)
        if not isinstance(command, Doctor):  # whose findings these are
            refuse_unknown_environment()  # not before: help is for whoever has misspelt a variable
        status = None if command is None else _done(command)
        if status is None:
            source.root_parser.print_help(sys.stderr)
        return 2 if status is None else status
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            complain(_about(fault["loc"], str(fault["msg"])))
        return 2
    except UnknownSetting as error:
        complain(str(error))
        return 2


def _done(command: object) -> int | None:
    """The exit status of a command; None if it says too little."""
    match command:
        case Serve() as settings:
            return serve(settings)
        case Generate() as text:
            return generate(text)
        case Models() as store:
            return models(store)
        case Bench() as measured:
            return bench(measured)
        case Doctor() as examined:
            return doctor(examined)
        case Healthcheck(host=host, port=port, tls_cert_file=certificate):
            return healthcheck(host, port, is_encrypted=certificate is not None)
        case KeyCommand(new=wanted) if wanted is not None:
            return new_key(wanted)
        case Capsule(inspect=asked) if asked is not None:
            return inspect(asked)
        case Replay() as receipt:
            return replay(receipt)
    return None


def _about(place: tuple[int | str, ...], message: str) -> str:
    """What is wrong, with the option's name, and its variable's if it has one."""
    command, *parts = place if len(place) > 1 else ("", *place)
    name = ".".join(map(str, parts))
    option = f"--{name.replace('_', '-')}"
    reason = message.removeprefix("Value error, ")
    if command in _WITHOUT_VARIABLES:
        return f"{option}: {reason}"
    return f"{ENV_PREFIX}{name.upper()} ({option}): {reason}"


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
    shown = str(details.get("help", ""))
    for nothing in ("()", "null", "[]", ""):
        shown = shown.removesuffix(f" (default: {nothing})")
    details["help"] = shown
    field = Settings.model_fields.get(setting)
    if field is not None and shown.startswith(str(field.description)):
        details["help"] = f"{shown} [env {ENV_PREFIX}{setting.upper()}]"
        if setting == "models":
            details["metavar"] = "NAME,..."
    if names[0] in ("--streams", "--rate", "--load"):
        details["metavar"] = "N,..."
    if names[0] == "--stop":
        details |= {"metavar": "STRING", "type": as_word}
    return parser.add_argument(*names, **details)


if __name__ == "__main__":
    end_at_once()
    sys.exit(main())
