"""The command: what is checked, in which order, and how it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import CliToggleFlag

from service.observability.streams import say
from service.settings import ENV_PREFIX, Settings, UnknownSetting, refuse_unknown_environment

if TYPE_CHECKING:
    from service.commands.doctor.finding import Finding


class Doctor(BaseModel):
    """Check store, settings, sessions, processor, memory and port, and say what to do."""

    # As of `lstm-serve serve`; they are no settings here, whose faults are findings.
    model_store: Path | None = Field(None, description="Folder of the published models.")
    session_store: str | None = Field(None, description="Where sessions are kept.")
    host: str | None = Field(None, description="Address to listen on.")
    port: int | None = Field(None, description="Port to listen on.")
    json_: CliToggleFlag[bool] = Field(False, alias="json", description="Tell it as JSON.")


def doctor(asked: Doctor) -> int:
    """Print what was found; 0 if a server would serve all of it, else 1."""
    found = []
    for finding in _findings(asked):
        found.append(finding)
        if not asked.json_:
            advice = f"\n      {'':9} -> {finding.advice}" if finding.advice else ""
            say(f"{finding.status:5} {finding.check:9}  {finding.message}{advice}\n")
    is_well = all(finding.status != "fix" for finding in found)
    if asked.json_:
        report = {"ok": is_well, "findings": [asdict(finding) for finding in found]}
        say(json.dumps(report, ensure_ascii=False) + "\n")
    return 0 if is_well else 1


def _findings(asked: Doctor) -> Iterator[Finding]:
    # Here and not above, as for `serve`.
    from service.commands.doctor import machine, serving
    from service.commands.doctor.finding import Finding

    faults = list(_faults_of_settings(asked))
    yield from faults
    yield from machine.processor()
    if any(fault.status == "fix" for fault in faults):
        rest = "store, sessions, memory, files and port"
        yield Finding("settings", "note", f"{rest} were not checked", "mend the settings first")
        return
    settings = _settings(asked)
    if not faults:
        yield Finding("settings", "ok", "each is known and in its range")
    yield from serving.versions(settings)
    yield from serving.served(settings)
    yield from serving.sessions(settings)
    yield from machine.descriptors(settings)
    yield from machine.port(settings)


def _settings(asked: Doctor) -> Settings:
    given: dict[str, Any] = asked.model_dump(exclude={"json_"}, exclude_none=True)
    return Settings(**given)


def _faults_of_settings(asked: Doctor) -> Iterator[Finding]:
    from service.commands.doctor.finding import Finding

    try:
        refuse_unknown_environment()
    except UnknownSetting as error:
        yield Finding("settings", "fix", str(error), "take the variable away, or spell it right")
    try:
        _settings(asked)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = ".".join(map(str, fault["loc"]))
            reason = str(fault["msg"]).removeprefix("Value error, ")
            message = f"{ENV_PREFIX}{name.upper()} (--{name.replace('_', '-')}): {reason}"
            yield Finding("settings", "fix", message, "see lstm-serve serve --help")
