"""`lstm-serve capsule inspect`: what a capsule is, and what is in it if its key is at hand."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import CliPositionalArg, CliSubCommand

from service.observability.streams import complain, say
from service.settings import CapsuleSettings


class Inspect(CapsuleSettings):
    """Say what a capsule is; with its key also what is in it."""

    file: CliPositionalArg[str] = Field(description="The capsule, as bytes or text; `-`: stdin.")


class Capsule(BaseModel):
    """Look at capsules."""

    inspect: CliSubCommand[Inspect] = Field(description="Say what a capsule is.")


def inspect(asked: Inspect) -> int:
    """Print what can be seen; 0 unless it is no capsule, or its key is here and does not fit."""
    # Here and not above: other commands need no cryptography.
    from service.sessions.capsules.errors import CapsuleError
    from service.sessions.capsules.keys import KeysUnreadable, parse_keys
    from service.sessions.capsules.seal import from_text, read_header, unseal

    try:
        keys = parse_keys(asked.capsule_key_text())
    except UnicodeDecodeError:
        complain(f"--capsule-keys-file {asked.capsule_keys_file}: it is not UTF-8")
        return 2
    except (OSError, KeysUnreadable) as error:
        complain(f"--capsule-keys or --capsule-keys-file: {error}")
        return 2
    try:
        given = sys.stdin.buffer.read() if asked.file == "-" else Path(asked.file).read_bytes()
    except OSError as error:
        complain(f"{asked.file}: {error.strerror}")
        return 1
    try:
        is_bytes = given.startswith(b"LSTMCAP")
        capsule = given if is_bytes else from_text(given.decode("ascii", "replace").strip())
        header = read_header(capsule)
        say(f"layout   {header.layout}\n")
        say(f"key      {header.key_id}\n")
        say(f"issued   {_moment(header.issued_s)}\n")
        say(f"expires  {_moment(header.expires_s)}\n")
        if header.key_id not in keys:
            say("the key is not at hand: none of this is proved, and the rest cannot be seen\n")
            return 0
        content = unseal(capsule, keys, now_s=0)  # what has expired may be looked at
    except CapsuleError as error:
        complain(f"{asked.file}: {error}")
        return 1
    say(f"model    {content.model}\n")
    say(f"artefact {content.fingerprint.hex()}\n")
    say(f"seed     {content.seed}\n")
    # `service/rows/codec.py`: magic, fingerprint, number of tokens.
    say(f"tokens   {int.from_bytes(content.row[40:48], 'little')}\n")
    say(f"row      {len(content.row)} bytes\n")
    return 0


def _moment(unix_s: int) -> str:
    try:
        return datetime.fromtimestamp(unix_s, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{unix_s} s after 1970"
