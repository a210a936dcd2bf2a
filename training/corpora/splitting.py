"""What is trained on and what is held out: the end of a text, whole files, or items."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.config.text import CorpusConfig
from training.corpora.corpus import Records, Texts
from training.corpora.folders import Found
from training.corpora.opened import shown
from training.corpora.sources import Source
from training.errors import CorpusError
from training.waiting import SILENT, Waiting, Work

MIN_CHARACTERS = 4_000
"""Enough for the held-out tenth to hold a cold window of 256 characters."""
_MOST_NAMES = 3


@dataclass(frozen=True)
class Split:
    """The two parts of a text, and which one is held out, in words."""

    train: Texts
    held_out: Texts
    remark: str


def split(
    source: Source,
    config: CorpusConfig,
    found: Found,
    checksums: Sequence[str],
    waiting: Waiting = SILENT,
) -> Split:
    """Cut a text as the config says.

    Args:
        source: The text.
        config: How.
        found: Where it comes from.
        checksums: Of its files: equal ones go to the same part.
        waiting: Shows how far it is.

    Raises:
        CorpusError: it is too short, or nothing could be held out; the message says why.
    """
    lengths = source.lengths()
    total = sum(lengths)
    if total < MIN_CHARACTERS:
        raise CorpusError(_too_short(total, source, found))
    match config.held_out_by:
        case "files":
            return _by_files(source, config, found, checksums, lengths)
        case "items":
            with waiting.during("choosing what is held out", 2 * total) as work:
                return _by_items(source.records, config, found.place, work)
        case _:
            return _at_the_end(source.records, config, found, lengths, waiting)


def _too_short(total: int, source: Source, found: Found) -> str:
    where = shown(found.place)
    without = f"; left out: {source.left_out()}" if source.left_out() else ""
    if total == 0 and without:
        return f"{where} has no document that is left{without}"
    size = "empty" if total == 0 else f"{total} characters long"
    return f"{where} is {size}; training needs at least {MIN_CHARACTERS} characters{without}"


def _at_the_end(
    records: Records,
    config: CorpusConfig,
    found: Found,
    lengths: Sequence[int],
    waiting: Waiting,
) -> Split:
    """Whole records, but plain text is cut where it may be."""
    total = sum(lengths)
    cut = int(total * (1.0 - config.held_out))
    if config.items or config.format != "text":
        with waiting.during("choosing what is held out", cut) as work:
            cut = _between_records(work.over(records()), cut, total)
        if cut == 0:
            raise _only_one(config, found.place)
    if config.shuffled:
        which = f"of the {config.items}, in a fixed random order, the last ones"
    else:
        which = f"the end of {_names_from(cut, found, lengths)}"
    return _split(records, cut, total, which)


def _names_from(cut: int, found: Found, lengths: Sequence[int]) -> str:
    """The file in which a cut falls, and those after it."""
    position = 0
    for number, length in enumerate(lengths):
        position += length
        if position > cut:
            after = len(lengths) - number - 1
            name = found.name_of(found.files[number])
            if after == 0:
                return name
            last = found.name_of(found.files[-1])
            return f"{name}, and {last}" if after == 1 else f"{name}, and {after:,} files to {last}"
    raise AssertionError("a cut after the end")


def _by_files(
    source: Source,
    config: CorpusConfig,
    found: Found,
    checksums: Sequence[str],
    lengths: Sequence[int],
) -> Split:
    """Whole files in a fixed random order, until they are enough; equal ones together."""
    groups: dict[str, list[int]] = {}
    for number, checksum in enumerate(checksums):
        groups.setdefault(checksum, []).append(number)
    order = [group for group in groups.values() if lengths[group[0]]]
    if len(order) < 2:
        raise CorpusError(
            f"corpus.held_out_by = 'files' needs at least two different files, and "
            f"{shown(found.place)} is {'only one' if len(found.files) == 1 else 'the same twice'}"
        )
    random.Random(0).shuffle(order)
    wanted, total = config.held_out * sum(lengths), 0
    held_out: set[int] = set()
    for group in order[:-1]:
        if total >= wanted:
            break
        held_out |= set(group)
        total += sum(lengths[number] for number in group)
    train = [number for number in range(len(lengths)) if number not in held_out]
    ordered = source.in_order([*train, *sorted(held_out)])
    counted = ordered.lengths()
    names = [found.name_of(found.files[number]) for number in sorted(held_out)]
    few = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    which = f"{len(names):,} of {len(lengths):,} files ({few})"
    return _split(ordered.records, sum(counted[: len(train)]), sum(counted), which)


def _by_items(records: Records, config: CorpusConfig, place: Path, work: Work) -> Split:
    """Each by its own checksum, so that equal ones are in the same part, and none is remembered."""
    total, lowest, highest = 0, 1.0, 0.0
    for record in work.over(records()):
        total += len(record)
        number = _number(record)
        lowest, highest = min(lowest, number), max(highest, number)
    if lowest == highest:
        raise _only_one(config, place)
    # Of few items, chance may hold out none or all.
    bound = min(max(config.held_out, lowest), highest)
    is_strict = bound > lowest

    def is_held_out(record: str) -> bool:
        number = _number(record)
        return number < bound if is_strict else number <= bound

    def reordered() -> Iterator[str]:
        yield from (record for record in records() if not is_held_out(record))
        yield from (record for record in records() if is_held_out(record))

    cut = sum(len(record) for record in work.over(records()) if not is_held_out(record))
    kind = config.items or "documents"
    return _split(reordered, cut, total, f"{kind} drawn by their checksums, equal ones together")


def _number(record: str) -> float:
    """From 0 to 1, the same for equal ones."""
    digest = hashlib.blake2b(record.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def _split(records: Records, cut: int, total: int, which: str) -> Split:
    remark = f"held out: {total - cut:,} of {total:,} characters ({1 - cut / total:.1%}), {which}"
    return Split(Texts(records, 0, cut), Texts(records, cut, total), remark)


def _only_one(config: CorpusConfig, place: Path) -> CorpusError:
    kind = (config.items or "documents").removesuffix("s")
    return CorpusError(
        f"{shown(place)} holds only one {kind}; at least two are needed, one to be held out"
    )


def _between_records(records: Iterable[str], cut: int, total: int) -> int:
    """The first end of a record from `cut` on; but something is left after it."""
    # Read once more rather than remembered: a list of the lengths could be as large as the text.
    start = end = 0
    for record in records:
        start, end = end, end + len(record)
        if end >= cut:
            break
    return end if end < total else start
