"""The text of a record: a field of it, also one that lies deeper, or a chat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from training.errors import CorpusError

Tally = Counter[str]
"""What was left out, by the reason."""
WITHOUT_TEXT = "without text"
SILENT_MESSAGES = "messages without text"
_MOST_NAMES = 12
_ROLES, _CONTENTS = ("role", "from"), ("content", "value")
_OF_CHATS = ("messages", "conversations", "conversation")


def text_of(value: object, field: str, where: str, tally: Tally) -> str | None:
    """What a record holds in a field, None if that is null.

    Args:
        value: The record.
        field: A name, or names with dots between them; a number is a place in a list.
        where: For messages of errors.
        tally: Is told what is left out.

    Raises:
        CorpusError: it holds no text there; the message names the fields that there are.
    """
    found = _looked_up(value, field, where)
    if found is None:
        tally[WITHOUT_TEXT] += 1
        return None
    if isinstance(found, str):
        return found
    if isinstance(found, list) and found and all(_is_message(one) for one in found):
        return _chat(found, where, tally)
    raise _no_text(field, where, f"it holds {_kind(found)}")


def _looked_up(value: object, field: str, where: str) -> object:
    if not isinstance(value, dict):
        raise _no_text(field, where, f"it is {_kind(value)}, not an object")
    if field in value:  # a name may hold dots itself
        found: object = value[field]
        return found
    found, gone = value, ""
    for name in field.split("."):
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif found is None and gone:
            return None
        else:
            raise _no_text(field, where, _what_is_there(found, gone.removesuffix(".")))
        gone += f"{name}."
    return found


def _what_is_there(found: object, gone: str) -> str:
    """The fields at the place where the wanted one is missing, and what might be meant."""
    if not isinstance(found, dict):
        return f"{gone} is {_kind(found)}" if gone else f"it is {_kind(found)}"
    if not found:
        return "it has no fields at all"
    prefix = f"{gone}." if gone else ""
    names = [f"{prefix}{str(name)[:40]}" for name in found]
    more = ", ..." if len(names) > _MOST_NAMES else ""
    there = f"its fields are {', '.join(names[:_MOST_NAMES])}{more}"
    deeper = [
        f"{prefix}{name}.{inner}"
        for name, value in found.items()
        if isinstance(value, dict)
        for inner, text in value.items()
        if isinstance(text, str)
    ]
    if deeper:
        there += f"; deeper lie the texts {', '.join(one[:80] for one in deeper[:_MOST_NAMES])}"
    for name, value in found.items():
        if isinstance(value, list) and value and all(_is_message(one) for one in value):
            return f"{there}; {prefix}{name} is a chat and can be the text_field"
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return (
                f"{there}; {prefix}{name} is a list of {len(value):,} records, "
                f"which jq -c '.{prefix}{name}[]' would write one a line"
            )
    return there


def _no_text(field: str, where: str, why: str) -> CorpusError:
    return CorpusError(f"{where} has no text in the field {field!r} (corpus.text_field): {why}")


def best_field(record: Mapping[str, object]) -> str | None:
    """The field that is most likely the text: a chat, or the longest text."""
    for name in _OF_CHATS:
        value = record.get(name)
        if isinstance(value, list) and value and all(_is_message(one) for one in value):
            return name
    texts = {name: value for name, value in record.items() if isinstance(value, str)}
    if "text" in texts:
        return "text"
    return max(texts, key=lambda name: len(texts[name]), default=None)


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and any(isinstance(value.get(role), str) for role in _ROLES)


def _chat(messages: Sequence[Mapping[str, object]], where: str, tally: Tally) -> str:
    """A line `role: content` for each message; contents keep their own lines."""
    turns = []
    for number, message in enumerate(messages, start=1):
        role = next(message[name] for name in _ROLES if isinstance(message.get(name), str))
        content = next((message[name] for name in _CONTENTS if name in message), None)
        text = _content(content, f"{where}, message {number}", tally)
        if text:
            turns.append(f"{role}: {text}")
    return "\n".join(turns)


def _content(content: object, where: str, tally: Tally) -> str:
    """A message's text; calls of tools and pictures have none, and are counted."""
    if isinstance(content, str) and content:
        return content
    if content is None or content == "":
        tally[SILENT_MESSAGES] += 1
        return ""
    if not isinstance(content, list):
        raise CorpusError(f"{where}: its content is {_kind(content)}, not text")
    texts = list(_parts(content))
    if len(texts) < len(content):
        tally["parts of messages that are not text"] += len(content) - len(texts)
    return "\n".join(texts)


def _parts(content: Iterable[object]) -> Iterable[str]:
    """OpenAI's parts: `{"type": "text", "text": ...}`, or texts by themselves."""
    for part in content:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return f"a list of {len(value):,}"
        case _:
            return f"an object of the fields {', '.join(map(str, list(value)[:_MOST_NAMES]))}"  # type: ignore[call-overload]
