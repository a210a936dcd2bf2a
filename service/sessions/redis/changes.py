"""What the scripts are told of turns, and of earlier places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.sessions.policy import kept_checkpoints
from service.sessions.redis.records import pack_record
from service.sessions.session import Back, KeptRow, Lease, TurnRecord


@dataclass(frozen=True, slots=True)
class HeldSession(Lease):
    """A lease of this store.

    Attributes:
        places: Of which rows are kept. Nobody else changes them while the lease lasts.
    """

    places: tuple[int, ...] = ()


def turn_as_asked(record: TurnRecord) -> dict[str, int]:
    """What a script has to know of a turn that it keeps."""
    return {"num_bytes": record.num_bytes, "num_tokens": record.num_tokens}


def back_of(back: Back) -> tuple[dict[str, Any], bytes, bytes]:
    """An earlier place to go on from; the row there, and what is left of its turn."""
    asked: dict[str, Any] = {
        "position": back.position,
        "since": back.since,
        "has_row": back.row is not None,
    }
    if back.cut is not None:
        asked["cut"] = turn_as_asked(back.cut)
    row = back.row.content if back.row else b""
    return asked, row, pack_record(back.cut) if back.cut else b""


def commit_of(
    lease: Lease,
    row: KeptRow | None,
    record: TurnRecord | None,
    checkpoints: Sequence[KeptRow],
    back: Back | None,
    every: int,
) -> tuple[dict[str, Any], list[bytes]]:
    """What `commit` is told: see `SessionStore.commit`.

    Args:
        lease: A `HeldSession`.
        row: At the end.
        record: Of the turn.
        checkpoints: Earlier rows of it.
        back: Where it began.
        every: See `kept_checkpoints`.
    """
    if not isinstance(lease, HeldSession):
        raise TypeError(f"a lease of another store: {lease!r}")
    num_tokens = row.num_tokens if row else 0
    there = {place for place in lease.places if back is None or place < back.since}
    fresh = {
        each.num_tokens: each.content
        for each in [*_row_before(lease, back), *checkpoints]
        if each.num_tokens not in there
    }
    stay = set(kept_checkpoints([*there, *fresh], num_tokens, every))
    new = sorted(fresh.keys() & stay)
    asked: dict[str, Any] = {
        "id": lease.session.id,
        "asker": lease.session.owner,
        "fence": lease.fence,
        "num_tokens": num_tokens,
        "has_row": row is not None,
        "dropped": sorted(there - stay),
        "kept": new,
    }
    if record is not None:
        asked["turn"] = turn_as_asked(record)
    if lease.idempotency is not None:
        asked["name"] = lease.idempotency.key
    cut = b""
    if back is not None:
        asked["back"], _, cut = back_of(back)
    content = [
        lease.idempotency.digest if lease.idempotency else b"",
        row.content if row else b"",
        pack_record(record) if record else b"",
        cut,
        *(fresh[place] for place in new),
    ]
    return asked, content


def _row_before(lease: Lease, back: Back | None) -> list[KeptRow]:
    """The row that the turn goes on from."""
    if back is not None:
        return [back.row] if back.row else []
    return [] if lease.row is None else [KeptRow(lease.row, lease.session.num_tokens)]
