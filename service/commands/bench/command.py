"""The command: its options, what is measured in which order, and how it is told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_settings import CliPositionalArg, CliToggleFlag, NoDecode

from service.commands.reaching import CTRL_C, Refused, interruptible, key_in, url_of_settings
from service.observability.streams import complain, say

if TYPE_CHECKING:
    from service.commands.bench.rows import Row

_BUSY_CORES = 0.8
_PROMPT_LENGTH = 64
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Counts = Annotated[tuple[Annotated[int, Field(ge=1)], ...], NoDecode]
_Numbers = Annotated[tuple[_Positive, ...], NoDecode]


class Bench(BaseModel):
    """Measure a running server: tokens a second, and how long its clients wait."""

    url: CliPositionalArg[str] = Field(
        "", description="Of the server; by default the one on this machine, of the settings."
    )
    streams: _Counts = Field(
        (1, 16, 64, 256),
        description="Numbers of clients, by commas, a row each; every client reads an answer and "
        "then asks for the next one (a closed loop).",
    )
    rate: _Numbers = Field(
        (),
        description="Requests a second, by commas, in place of `--streams`; they come at random "
        "moments, whether or not others have their answers (an open loop).",
    )
    load: _Numbers = Field(
        (),
        description="The same, as shares of what the server manages with the most of `--streams`, "
        "which is measured first: `0.5,0.9`.",
    )
    prompt: str | None = Field(
        None, description="Every request has this prompt, which the server soon knows by heart."
    )
    prompt_length: Annotated[int, Field(ge=1)] = Field(
        _PROMPT_LENGTH,
        description="Characters of the prompts, drawn from those of the model; none is sent twice.",
    )
    max_tokens: Annotated[int, Field(ge=1)] = Field(256, description="Most tokens of an answer.")
    no_stream: CliToggleFlag[bool] = Field(
        False, description="Whole answers; the first event is then the answer."
    )
    stream_every: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Most tokens of an event; by default as many as the server likes."
    )
    duration: _Positive = Field(10, description="Seconds that each row is measured for.")
    warmup: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        2, description="Seconds of load before them, which are not counted."
    )
    model: str | None = Field(None, description="`name` or `name@version`.")
    api_key_file: Path | None = Field(None, description="A file with the key that it asks for.")
    json_: Path | None = Field(
        None, alias="json", description="Write all figures to this file; `-`: standard output."
    )

    @field_validator("streams", "rate", "load", mode="before")
    @classmethod
    def _split_commas(cls, given: object) -> object:
        return tuple(given.split(",")) if isinstance(given, str) else given

    @field_validator("load")
    @classmethod
    def _one_open_loop(cls, load: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if load and info.data.get("rate"):
            raise ValueError("say either --rate or --load")
        return load

    @field_validator("prompt", mode="before")
    @classmethod
    def _null_is_a_prompt(cls, prompt: object) -> object:
        return "null" if prompt is None else prompt  # the library's word for None

    @field_validator("prompt")
    @classmethod
    def _prompt_is_text(cls, prompt: str) -> str:
        try:
            prompt.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"is not UTF-8, at character {error.start}") from None
        return prompt

    @field_validator("prompt_length")
    @classmethod
    def _one_prompt(cls, length: int, info: ValidationInfo) -> int:
        if info.data.get("prompt") is not None:
            raise ValueError("say either --prompt or --prompt-length")
        return length

    @field_validator("stream_every")
    @classmethod
    def _events_are_of_streams(cls, every: int | None, info: ValidationInfo) -> int | None:
        if every is not None and info.data.get("no_stream"):
            raise ValueError("is for streams: say either --no-stream or --stream-every")
        return every


def bench(asked: Bench) -> int:
    """Measure, and print each row as soon as it is there; 1 if a row has no answer at all."""
    try:
        with interruptible():
            return _bench(asked)
    except KeyboardInterrupt:
        return CTRL_C
    except Refused as error:
        complain(str(error))
        return 1


def _bench(asked: Bench) -> int:
    # Here and not above, as for `serve`.
    from service.commands.bench.looking import look_at
    from service.commands.bench.measuring import Plan, measure, requests_of
    from service.commands.bench.tables import table_for
    from service.load.recorder import Timing
    from service.load.target import Target
    from service.load.workload import Workload
    from service.server.descriptors import connections_within_limit

    url, key = asked.url or url_of_settings(), key_in(asked.api_key_file)
    try:
        target = Target.of(url, key)
    except ValueError as error:
        raise Refused(f"{url}: {error}") from error
    workload = Workload(
        asked.max_tokens,
        stream=not asked.no_stream,
        stream_every=asked.stream_every,
        model=asked.model,
    )
    seen = look_at(url, target, workload, asked.prompt)
    requests = requests_of(target, workload, asked.prompt, asked.prompt_length, seen.alphabet)
    timing = Timing(asked.warmup, asked.duration)
    plan = Plan(asked.streams, asked.rate, asked.load, timing)
    connections_within_limit(max(asked.streams))
    rows: list[Row] = []
    to_stderr = asked.json_ == Path("-")
    with table_for(sys.stderr if to_stderr else sys.stdout, f"{seen.model} at {url}") as table:
        for row in measure(plan, target, requests, table.watch):
            rows.append(row)
            table.add(row)
    for line in _remarks(rows):
        complain(line)
    if asked.json_ is not None:
        _write(asked.json_, {"url": url, "model": seen.model, **_report(asked, rows)})
    return 0 if all(row.found.num_completed for row in rows) else 1


def _remarks(rows: list[Row]) -> list[str]:
    """What a reader of the table has to know."""
    lines = []
    busy = [row.load.label for row in rows if row.client_cores > _BUSY_CORES]
    if busy:
        which = ", ".join(busy)
        lines.append(f"warning: the clients themselves needed a whole core: {which}")
    for row in rows:
        if row.found.errors:
            shown = ", ".join(f"{num} x {code}" for code, num in row.found.errors.most_common())
            lines.append(f"{row.load.label}: {shown}")
    return lines


def _report(asked: Bench, rows: list[Row]) -> dict[str, Any]:
    is_fixed = asked.prompt is not None
    return {
        "prompt_characters": len(asked.prompt or "") if is_fixed else asked.prompt_length,
        "fresh_prompts": not is_fixed,
        "max_tokens": asked.max_tokens,
        "stream": not asked.no_stream,
        "stream_every": asked.stream_every,
        "warmup_s": asked.warmup,
        "rows": [row.as_json() for row in rows],
    }


def _write(file: Path, report: dict[str, Any]) -> None:
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    if file == Path("-"):
        say(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"--json {file}: {error.strerror}") from error
