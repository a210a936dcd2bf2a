"""Receipts: what a text follows from, so that anybody who has the model can write it again."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.engine.request import Request
from service.inference.turnstile import Turnstile
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.codec import encode_row
from service.rows.row import Row
from service.runtime.sampling import SamplingOptions
from service.sessions.ids import pack_ids, unpack_ids

EMPTY = "empty"
"""Stands for the digest of the state before the first token."""
_LONG_BYTES = 128 << 10
"""What is longer is for a thread; less takes about half a millisecond."""
_SHORT_S = 0.0005
_ID_BYTES = 8

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Receipt(BaseModel):
    """What a text was made of, and what came of it; digests are sha256 of `service/rows/codec.py`.

    `prompt` and `completion` are the ids that were read and shown, packed (`service/sessions/ids`)
    and in base64.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    receipt: Literal[1] = 1
    model: str
    fingerprint: _Digest
    num_tokens_before: Annotated[int, Field(ge=0)]
    start: _Digest | Literal["empty"]
    prompt: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    options: SamplingOptions
    stop: tuple[Annotated[str, Field(min_length=1)], ...]
    max_tokens: Annotated[int, Field(ge=1)]
    completion: str
    text: str
    finish_reason: Literal["length", "stop", "eos"]
    end: _Digest

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        for name in ("prompt", "completion"):
            ids_from_text(getattr(self, name), name)
        if self.start == EMPTY and (self.num_tokens_before or not len(self.prompt_T)):
            raise ValueError("a text that begins has no tokens before it and a prompt")
        return self

    @property
    def prompt_T(self) -> Int64:  # noqa: N802
        """Ids that were read, int64[T]."""
        return ids_from_text(self.prompt, "prompt")

    @property
    def completion_T(self) -> Int64:  # noqa: N802
        """Ids of exactly the text that was shown, int64[T]."""
        return ids_from_text(self.completion, "completion")


@dataclass(slots=True)
class ReceiptWriter:
    """Writes the receipt of a text at its end.

    Attributes:
        model: That writes the text.
        request: What it was asked for.
        stop: Strings that end it, cleaned.
        turnstile: Of the event loop.
    """

    model: ServedModel
    request: Request
    stop: Sequence[str]
    turnstile: Turnstile
    _texts: list[str] = field(default_factory=list)

    def wrote(self, text: str) -> None:
        """More of the text was shown."""
        self._texts.append(text)

    async def at(self, row: Row, shown_T: Int64, reason: Literal["length", "stop", "eos"]) -> str:
        """The receipt of a text that ends at `row`, after the tokens that were shown; as JSON."""
        request, past = self.request, self.request.past

        def work() -> str:
            fingerprint = self.model.manifest.fingerprint
            options = request.sampling.model_dump(include=set(SamplingOptions.model_fields))
            return Receipt(
                model=self.model.ref,
                fingerprint=fingerprint.hex(),
                num_tokens_before=past.num_tokens if past else 0,
                start=digest_of(past, fingerprint),
                prompt=ids_to_text(request.prompt_T),
                seed=request.sampling.seed,
                options=SamplingOptions(**options),
                stop=tuple(self.stop),
                max_tokens=request.max_tokens,
                completion=ids_to_text(shown_T),
                text="".join(self._texts),
                finish_reason=reason,
                end=digest_of(row, fingerprint),
            ).model_dump_json()

        num_ids = len(request.prompt_T) + len(shown_T)
        num_row_bytes = row.num_bytes + (past.num_bytes if past else 0)
        if num_row_bytes + _ID_BYTES * num_ids > _LONG_BYTES:
            return await asyncio.to_thread(work)
        await self.turnstile.enter(_SHORT_S, request.client)
        return work()


def digest_of(row: Row | None, fingerprint: bytes) -> str:
    """Of a row of the artefact; None is the start."""
    if row is None:
        return EMPTY
    return hashlib.sha256(encode_row(row, fingerprint)).hexdigest()


def ids_to_text(id_T: Int64) -> str:
    """Ids as they stand in a receipt."""
    return base64.b64encode(pack_ids(id_T)).decode()


def ids_from_text(text: str, name: str) -> Int64:
    """The ids, int64[T].

    Raises:
        ValueError: They are none.
    """
    try:
        content = base64.b64decode(text, validate=True)
        return unpack_ids(content)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{name} holds no packed ids in base64") from error
