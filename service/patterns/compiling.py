"""A program: reads a pattern and a vocabulary, writes the automaton of the texts that match.

It is a process of its own, since the library that does the work can be neither interrupted nor
bounded in memory, and a pattern of twenty characters may ask for all there is of both. It imports
nothing of the service, and so starts in a tenth of a second.

In, as JSON: `kind` ("regex" or "json_schema"), `pattern`, `first` and `rest` (of each id the bytes
that it stands for at the beginning of a text, and anywhere else, as Latin-1; null for what no text
holds), `end` (the id that ends texts, or null), `max_cells` (of the automaton's table),
`memory_bytes`, `time_s`.

Out, as JSON: `next` (a table, see `runtime.automaton.Automaton`, row by row), `classes`,
`num_classes`; or `error`, and `too_large` if that is what it is.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

BARRED, COMPLETE = -1, -2
"""In the table: the id is not allowed here; the text is complete after it."""

_MARK = "\x01"
_START = 0


class Refused(Exception):
    """There is no automaton for this."""


class TooLarge(Refused):
    """There is, and it has more cells than it may."""


def main() -> None:
    """Answer one question."""
    question = json.load(sys.stdin)
    _limit(question["memory_bytes"], question["time_s"])
    try:
        answer = compiled(question)
    except MemoryError:
        answer = {"error": "it takes too much memory", "too_large": True}
    except Refused as error:
        answer = {"error": str(error), "too_large": isinstance(error, TooLarge)}
    json.dump(answer, sys.stdout)


def compiled(question: Mapping[str, Any]) -> dict[str, Any]:
    """The automaton that is asked for.

    Raises:
        Refused: It is no pattern, or no text of the vocabulary matches it.
        TooLarge: It has too many states.
    """
    first, rest = question["first"], question["rest"]
    regex = question["pattern"]
    if question["kind"] == "json_schema":
        regex = _regex_of_schema(regex)
    steps, accepting = _explored(regex, first, rest)
    steps, accepting = _useful(steps, accepting)
    if not steps[_START]:
        raise Refused("the model has no tokens that could write a text that matches it")
    return _table(steps, accepting, question["end"], len(rest), question["max_cells"])


_OF_SCHEMAS = frozenset({"properties", "$defs", "definitions", "anyOf", "oneOf", "prefixItems"})
_OF_A_SCHEMA = frozenset({"items", "additionalProperties"})
_KEYWORDS = frozenset(
    [
        "$ref",
        "additionalProperties",
        "const",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "minItems",
        "minLength",
        "minProperties",
        "pattern",
        "required",
        "type",
    ]
)
_REMARKS = frozenset(
    [
        "$comment",
        "$id",
        "$schema",
        "default",
        "deprecated",
        "description",
        "discriminator",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    ]
)
_FORMATS = ("date", "date-time", "email", "time", "uri", "uuid")


def _require_known(schema: Any) -> None:
    """Refuse what the library would leave out without a word."""
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        if name in _OF_SCHEMAS:
            inner = value.values() if isinstance(value, dict) else value
            for each in inner if isinstance(inner, Iterable) else ():
                _require_known(each)
        elif name in _OF_A_SCHEMA:
            _require_known(value)
        elif name == "format" and value not in _FORMATS:
            raise Refused(f"format may be one of {', '.join(_FORMATS)} here")
        elif name not in _KEYWORDS | _REMARKS | {"format"}:
            raise Refused(f"the keyword {name[:64]!r} is not supported")


def _regex_of_schema(schema: str) -> str:
    from outlines_core.json_schema import build_regex_from_schema

    try:
        _require_known(json.loads(schema))
    except RecursionError as error:
        raise Refused("it is nested too deep") from error
    try:
        return str(build_regex_from_schema(schema))
    except ValueError as error:
        raise Refused(str(error).splitlines()[0]) from error


_Steps = dict[int, dict[int, int]]
"""By state: the ids that it allows, and where each leads to."""


def _explored(
    regex: str, first: list[str | None], rest: list[str | None]
) -> tuple[_Steps, set[int]]:
    """All states that tokens lead to, the start as 0, and those in which a text matches."""
    from outlines_core import Index, Vocabulary

    size = len(rest)
    mark, any_byte, end = 2 * size, 2 * size + 1, 2 * size + 2
    ids: dict[bytes, list[int]] = defaultdict(list)
    vocabularies = [(0, rest)]
    if first != rest:  # then ids as the first of a text are told apart by `size`
        vocabularies.append((size, first))
    begins, _ = vocabularies[-1]
    for offset, texts in vocabularies:
        for n, text in enumerate(texts):
            if text:
                ids[text.encode("latin-1")].append(offset + n)
    for byte in range(256):  # else the library gives up where one way of several is a dead end
        ids[bytes([byte])].append(any_byte)
    ids[_MARK.encode()].append(mark)
    try:
        Index(regex, Vocabulary(end, {b"a": [0]}))
    except ValueError as error:
        if "NFA" in str(error) or "DFA" in str(error):
            raise Refused(_reason(error)) from error
    try:
        # The library's matches are those of a search, which stop at the first way of several that
        # leads to one: with something after it, all ways are gone.
        index = Index(f"(?:{regex}){_MARK}\\z", Vocabulary(end, dict(ids)))
    except ValueError as error:
        raise Refused(_reason(error)) from error
    transitions, final = index.get_transitions(), index.get_final_states()
    number = {state: n for n, state in enumerate(transitions, start=1)}
    start = index.get_initial_state()
    steps: _Steps = {
        number[state]: {n: number[after] for n, after in row.items() if n < size}
        for state, row in transitions.items()
    }
    steps[_START] = {
        n - begins: number[after]
        for n, after in transitions[start].items()
        if begins <= n < begins + size
    }
    accepting = {number[s] for s, row in transitions.items() if row.get(mark) in final}
    if number[start] in accepting:
        accepting.add(_START)
    return steps, accepting


def _reason(error: ValueError) -> str:
    """What the library says, without its own words for what it was doing."""
    message = str(error).removeprefix("Failed to build DFA ")
    if "look-around" in message or "word boundar" in message:
        return "word boundaries are not supported"
    return "it is not a regular expression that can be used here" if "NFA" in message else message


def _useful(steps: _Steps, accepting: set[int]) -> tuple[_Steps, set[int]]:
    """The states that can be reached and from which a text can be completed, numbered anew."""
    reached = _connected({_START}, {state: row.values() for state, row in steps.items()})
    before: dict[int, set[int]] = defaultdict(set)
    for state in reached:
        for after in steps[state].values():
            before[after].add(state)
    alive = _connected(accepting & reached, before) & reached | {_START}
    number = {state: n for n, state in enumerate(sorted(alive))}
    kept = {
        number[state]: {n: number[after] for n, after in steps[state].items() if after in alive}
        for state in alive
    }
    return kept, {number[state] for state in accepting & alive}


def _connected(found: set[int], ways: Mapping[int, Iterable[int]]) -> set[int]:
    """Those that ways lead to from what is found."""
    found, waiting = set(found), list(found)
    while waiting:
        for state in ways.get(waiting.pop(), ()):
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found


def _table(
    steps: _Steps, accepting: set[int], end: int | None, size: int, max_cells: int
) -> dict[str, Any]:
    """The table; ids that lead to the same everywhere are a class, and have one column."""
    complete = {state for state in accepting if not steps[state]}
    number = {state: n for n, state in enumerate(s for s in sorted(steps) if s not in complete)}
    columns: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for state, n in number.items():
        for token_id, after in steps[state].items():
            columns[token_id].append((n, COMPLETE if after in complete else number[after]))
        if end is not None and state in accepting:
            columns[end].append((n, COMPLETE))
    classes: dict[tuple[tuple[int, int], ...], int] = {(): 0}
    class_of = [classes.setdefault(tuple(columns.get(n, ())), len(classes)) for n in range(size)]
    if len(number) * len(classes) > max_cells:
        raise TooLarge(f"its automaton has {len(number)} states")
    table = [[BARRED] * len(classes) for _ in number]
    for column, c in classes.items():
        for state, after in column:
            table[state][c] = after
    return {"next": table, "classes": class_of}


def _limit(memory_bytes: int, time_s: int) -> None:
    """The operating system ends the process rather than let it take more."""
    os.nice(10)
    with suppress(ValueError, OSError):  # some systems do not let that be set
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (time_s, time_s))


if __name__ == "__main__":
    main()
