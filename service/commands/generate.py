"""`lstm-serve generate`: a text into the terminal, from a running server or from the store."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, unquote

from pydantic import Field, field_validator
from pydantic_settings import CliPositionalArg, CliToggleFlag

from service.commands.reaching import CTRL_C, Refused, interruptible, key_in, url_of_settings
from service.observability.streams import complain, say, say_exactly
from service.runtime.options import SamplingOptions

if TYPE_CHECKING:
    from service.client import Client, Generation, Stream
    from service.commands.without_server import LocalStream

_SEED_BITS = 53
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


class Generate(SamplingOptions):
    """Write on from a prompt: by the server that runs, or straight from the store with none."""

    prompt: CliPositionalArg[str] = Field("", description="Text to go on from; `-`: stdin.")
    url: str | None = Field(
        None, description="Of the server; by default the one on this machine, of the settings."
    )
    api_key_file: Path | None = Field(None, description="A file with the key that it asks for.")
    model_store: Path | None = Field(
        None, description="Folder of the models, where no server runs; by default of the settings."
    )
    model: str | None = Field(None, description="`name` or `name@version`.")
    session: str | None = Field(None, description="Go on from this session, and commit to it.")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most tokens to write; by default 256."
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(
        None, description="Gives the same text again; by default drawn, and told."
    )
    stop: list[str] = Field(
        [], description="The text ends before this string; may be given several times."
    )
    no_stream: CliToggleFlag[bool] = Field(False, description="Write the text once it is complete.")
    json_: CliToggleFlag[bool] = Field(
        False, alias="json", description="Write the whole answer as JSON."
    )

    @field_validator("prompt", mode="before")
    @classmethod
    def _null_is_a_word(cls, prompt: object) -> object:
        return "null" if prompt is None else prompt  # the library's word for None

    @field_validator("stop", mode="before")
    @classmethod
    def _unquote(cls, stop: object) -> object:
        if isinstance(stop, list):
            return [unquote(each, errors="surrogateescape") for each in stop]
        return stop

    def options(self) -> dict[str, Any]:
        """What is asked for, by the names of the server's fields; only what was said."""
        names = (*SamplingOptions.model_fields, "model", "max_tokens", "seed")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.stop:
            given["stop"] = self.stop
        return given


def as_word(stop: str) -> str:
    """A stop string as the command line's library leaves it alone: it splits at commas."""
    return quote(stop, safe="", errors="surrogateescape")


def generate(asked: Generate) -> int:
    """Write the text to standard output, and what else there is to say to standard error."""
    # Here and not above, as below: who serves needs no client.
    from service.client import ApiError, ClientError

    try:
        with interruptible():
            return _generate(asked)
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            say("\n")
        return CTRL_C
    except Refused as error:
        complain(str(error))
        return 2
    except ApiError as error:
        complain(f"{error.code}: {error.message}")
        return 1
    except ClientError as error:
        complain(str(error))
        return 1


def _generate(asked: Generate) -> int:
    prompt = _text_of("the prompt", asked.prompt if asked.prompt != "-" else _read_input())
    for stop in asked.stop:
        _text_of("--stop", stop)
    options = {**asked.options(), "report_unknown": True}
    if asked.session is None:
        # Told before the first token, so that whoever breaks off can have the text again.
        options.setdefault("seed", secrets.randbits(_SEED_BITS))
    with closing(_Writer(asked)) as writer:
        return writer.write(_source(asked), prompt, options)


class _Writer:
    """Writes a text as it was asked for, and tells what it was drawn with in any case."""

    def __init__(self, asked: Generate) -> None:
        self._asked = asked
        self._seed: int | None = None
        self._has_begun = False
        self._ends_line = True

    def write(self, source: Client | Path, prompt: str, options: dict[str, Any]) -> int:
        """The exit status."""
        self._seed = options.get("seed")
        with _opened(source, self._asked, prompt, options) as stream:
            is_whole = self._asked.no_stream or self._asked.json_
            if not is_whole and not self._stream(stream):
                return 0  # whoever reads has left
            answer = stream.answer()
        self._seed, self._has_begun = answer.seed, True
        if self._asked.json_:
            fields = {name: each for name, each in asdict(answer).items() if each is not None}
            say(json.dumps(fields, ensure_ascii=False) + "\n")
        elif is_whole:
            self._say(answer.text)
        self._say_end(answer)
        return 0

    def close(self) -> None:
        """The seed, also of a text that was broken off."""
        if self._has_begun and self._seed is not None:
            complain(f"seed {self._seed}: the same with --seed {self._seed} writes this text again")

    def _stream(self, stream: Stream | LocalStream) -> bool:
        return all(self._say(event.text) for event in stream)

    def _say(self, text: str) -> bool:
        self._has_begun = True
        if text:
            self._ends_line = text.endswith("\n")
        return say_exactly(text)

    def _say_end(self, answer: Generation) -> None:
        if not self._ends_line and sys.stdout.isatty():
            say("\n")
        if answer.usage.unknown_tokens:
            pieces = ", ".join(map(repr, answer.usage.unknown or ()))
            complain(
                f"warning: {answer.model} has never seen {answer.usage.unknown_tokens} of the "
                f"prompt's tokens, and read its sign for the unknown in their place: {pieces}"
            )
        if answer.finish_reason == "parked":
            complain("the server ended; the session holds what was written")


def _source(asked: Generate) -> Client | Path:
    """The server, or the store if none is named and none runs."""
    import httpx

    from service.client import Client

    url = asked.url if asked.url is not None else url_of_settings()
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL as error:
        raise Refused(f"--url {url}: {error}") from error
    # The environment's proxies are not for a server on this machine.
    client = Client(url, api_key=key_in(asked.api_key_file), trust_env=host not in _THIS_MACHINE)
    if asked.url is not None or _runs(client):
        return client
    client.close()
    if asked.session is not None:
        raise Refused(f"--session needs a running server, and there is none at {url}")
    from service.commands.without_server import store_of

    store = store_of(asked.model_store)
    complain(f"no server at {url}: straight from {store}")
    return store


@contextmanager
def _opened(
    source: Client | Path, asked: Generate, prompt: str, options: dict[str, Any]
) -> Iterator[Stream | LocalStream]:
    """The text, which is being written; closed in the end."""
    if isinstance(source, Path):
        from service.commands.without_server import local_stream

        with local_stream(source, prompt, options) as local:
            yield local
        return
    with source:
        if asked.session is None:
            stream = source.stream(prompt, **options)
        else:
            stream = source.session(asked.session).stream(prompt, **options)
        with stream:
            yield stream


def _runs(client: Client) -> bool:
    from service.client import ApiError, ConnectionFailed

    try:
        client.health()
    except ConnectionFailed:
        return False
    except ApiError:  # somebody answers, and will say what is wrong
        return True
    return True


def _read_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"standard input is not UTF-8: byte {error.start}: {error.reason}") from None


def _text_of(what: str, given: str) -> str:
    """What was given, which is text."""
    try:
        given.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"{what} is not UTF-8, at character {error.start}") from None
    return given
