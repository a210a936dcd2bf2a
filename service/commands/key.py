"""`lstm-serve key new`: a new API key, and what the server's settings say of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field
from pydantic_settings import CliImplicitFlag, CliPositionalArg, CliSubCommand

from service.observability.streams import complain, say

_Limit = Annotated[int, Field(ge=1, lt=10**12)] | None


class NewKey(BaseModel):
    """Make an API key. Its entry for the settings goes to standard output, the key beside it."""

    name: CliPositionalArg[str] = Field(description="Whose key it is.")
    requests: _Limit = Field(None, description="Requests a minute.")
    tokens: _Limit = Field(None, description="Tokens a minute, read and written.")
    streams: _Limit = Field(None, description="Texts at the same time.")
    admin: CliImplicitFlag[bool] = Field(False, description="It may do everything.")
    metrics: CliImplicitFlag[bool] = Field(False, description="It may read the metrics.")
    text: CliImplicitFlag[bool] = Field(
        False, description="It may use models and sessions; so it may without other scopes."
    )


class KeyCommand(BaseModel):
    """Make API keys."""

    new: CliSubCommand[NewKey] = Field(description="Make an API key.")


def new_key(wanted: NewKey) -> int:
    """Print a new key for a person, and its entry for the settings."""
    # Here and not above, as all that only one command needs.
    from service.access.keys import KeysInvalid, entry_of
    from service.access.keys import new_key as make

    limits = {name: getattr(wanted, name) for name in ("requests", "tokens", "streams")}
    options = [f"{name}={limit}" for name, limit in limits.items() if limit is not None]
    options += [scope for scope in ("text", "metrics", "admin") if getattr(wanted, scope)]
    key = make()
    try:
        entry = entry_of(wanted.name, key, options)
    except KeysInvalid as error:
        complain(str(error))
        return 2
    complain(f"the key of {wanted.name}, which is kept nowhere: {key}")
    say(entry + "\n")
    return 0
