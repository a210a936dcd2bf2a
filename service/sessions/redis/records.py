"""What Redis holds, as values, and the other way round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, replace

from service.sessions.session import KeptTurn, Session, TurnRecord


def pack_record(record: TurnRecord) -> bytes:
    """A turn as bytes: a line of JSON, then the ids that were read and those that were written."""
    *plain, read, written = astuple(record)
    lengths = [None if ids is None else len(ids) for ids in (read, written)]
    head = json.dumps([*plain, *lengths], ensure_ascii=False, separators=(",", ":"))
    return head.encode() + b"\n" + (read or b"") + (written or b"")


def unpack_record(content: bytes) -> TurnRecord:
    """A turn, of `pack_record`."""
    head, _, ids = content.partition(b"\n")
    *plain, num_read, num_written = json.loads(head)
    middle = num_read or 0
    read = None if num_read is None else ids[:middle]
    written = None if num_written is None else ids[middle:]
    return replace(TurnRecord(*plain), read=read, written=written)


def session_of(values: Sequence[bytes]) -> Session:
    """A session, of what scripts answer."""
    names = [value.decode() for value in values]
    identity, owner, parent, model, seed, version, num_tokens, num_bytes, created_s, used_s = names
    return Session(
        id=identity,
        owner=owner,
        parent=parent or None,
        model=model,
        seed=int(seed),
        version=int(version),
        num_tokens=int(num_tokens),
        num_bytes=int(num_bytes),
        created_s=float(created_s),
        used_s=float(used_s),
    )


def turn_of(values: Sequence[bytes]) -> KeptTurn:
    """A turn, of what scripts answer."""
    version, at_s, num_tokens, record = values
    return KeptTurn(int(version), float(at_s), int(num_tokens), unpack_record(record))
