"""What each id of a tokenizer stands for in a text, as far as that does not depend on others.

The decoder of a tokenizer.json is a list of steps. The steps up to the one that joins the tokens
treat each token by itself (some the first one differently), those after it edit the whole text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer as HuggingFaceTokenizer

from service.artifacts.edits import Edit, read_edit

# Text, or bytes that may be parts of characters, or None for what leaves no trace.
Piece = str | bytes | None
_Step = dict[str, Any]

_TOKEN_BY_TOKEN = ("Metaspace", "Replace", "Strip", "WordPiece")
_JOINS = ("ByteFallback", "ByteLevel", "Fuse")
_BY_CHARACTER = {
    "type": "Split",
    "pattern": {"Regex": r"[\s\S]"},
    "behavior": "Isolated",
    "invert": False,
}
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the ids stand for.

    Attributes:
        first: For each id, what it is as the first of a text.
        rest: And as any other.
        one_mark_a_byte: A broken character is as many U+FFFD as it has bytes; otherwise only one.
        edits: Make the edits of one text, in their order.
    """

    first: Sequence[Piece]
    rest: Sequence[Piece]
    one_mark_a_byte: bool
    edits: Sequence[Callable[[], Edit]]


def read_pieces(tokenizer: HuggingFaceTokenizer) -> Pieces | None:
    """What the ids of the tokenizer stand for; None if that depends on their neighbours."""
    decoder = json.loads(tokenizer.to_str())["decoder"]
    steps = _steps(decoder)
    names = [step["type"] for step in steps]
    place = next((n for n, name in enumerate(names) if name in _JOINS), len(steps))
    join = names[place] if place < len(steps) else None
    before, after = steps[:place], steps[place + 1 :]
    if join == "ByteFallback":
        # Metaspace is the same before it, but for a space sign that is written in bytes.
        while after and after[0]["type"] == "Metaspace":
            before.append(after.pop(0))
        if after and after[0]["type"] != "Fuse":
            return None
    edits = [read_edit(step) for step in after if step["type"] != "Fuse"]
    known = all(step["type"] in _TOKEN_BY_TOKEN and not step.get("stop") for step in before)
    if not known or None in edits:
        return None
    first, rest = _texts(tokenizer, before, has_decoder=decoder is not None)
    special = special_ids(tokenizer)

    def pieces(texts: Sequence[str]) -> list[Piece]:
        return [None if n in special else _piece(text, join) for n, text in enumerate(texts)]

    others = pieces(rest)
    return Pieces(
        first=others if first == rest else pieces(first),
        rest=others,
        one_mark_a_byte=join == "ByteFallback",
        edits=[edit for edit in edits if edit],
    )


def read_characters(tokenizer: HuggingFaceTokenizer) -> tuple[dict[str, int], int] | None:
    """The id of each character, and that of all others, of a tokenizer that knows nothing else.

    Looking them up here takes a thirtieth of the time that the library needs, with a regular
    expression, for the same ids. Names of special tokens are characters in a text, as any others.
    None: the tokenizer does anything more.
    """
    parts = json.loads(tokenizer.to_str())
    model, special = parts["model"], all(token["special"] for token in parts["added_tokens"])
    if parts["normalizer"] or parts["post_processor"] or not special:
        return None
    if parts["pre_tokenizer"] != _BY_CHARACTER or model["type"] != "WordLevel":
        return None
    vocabulary: dict[str, int] = model["vocab"]
    unknown_id = vocabulary.get(model["unk_token"])
    if unknown_id is None:
        return None
    return {token: n for token, n in vocabulary.items() if len(token) == 1}, unknown_id


def special_ids(tokenizer: HuggingFaceTokenizer) -> frozenset[int]:
    """The ids that leave no trace in a text."""
    added = tokenizer.get_added_tokens_decoder()
    return frozenset(token_id for token_id, token in added.items() if token.special)


def _steps(decoder: _Step | None) -> list[_Step]:
    if decoder is None:
        return []
    if decoder["type"] == "Sequence":
        return [step for inner in decoder["decoders"] for step in _steps(inner)]
    return [decoder]


def _texts(
    tokenizer: HuggingFaceTokenizer, steps: Sequence[_Step], *, has_decoder: bool
) -> tuple[list[str], list[str]]:
    """Of each id after the steps: as the first of a text, and as any other."""
    names = [tokenizer.id_to_token(n) or "" for n in range(tokenizer.get_vocab_size())]
    if not has_decoder:
        return names, [f" {name}" for name in names]
    if not steps:
        return names, names
    model = {"type": "BPE", "vocab": {}, "merges": []}
    decoder = {"type": "Sequence", "decoders": steps}
    part = HuggingFaceTokenizer.from_str(json.dumps({"model": model, "decoder": decoder})).decoder
    num_before = len(part.decode([""]))
    return (
        [part.decode([name]) for name in names],
        [part.decode(["", name])[num_before:] for name in names],
    )


def _piece(text: str, join: str | None) -> Piece:
    if join == "ByteLevel":
        are_signs = all(sign in _BYTE_OF_SIGN for sign in text)
        found = bytes(_BYTE_OF_SIGN[sign] for sign in text) if are_signs else text.encode()
        return found if _is_part_of_characters(found) else found.decode()
    if join == "ByteFallback" and (byte := _BYTE.fullmatch(text)):
        return bytes.fromhex(byte[1])
    return text


def _is_part_of_characters(found: bytes) -> bool:
    """Or nothing at all: that does not end a character either."""
    try:
        return not found.decode()
    except UnicodeDecodeError:
        return True


def _byte_of_sign() -> dict[str, int]:
    """By what characters byte-level tokenizers write bytes: by themselves, if that can be seen."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = sorted(set(range(0x100)) - set(seen))
    return {chr(n): n for n in seen} | {chr(0x100 + n): byte for n, byte in enumerate(unseen)}


_BYTE_OF_SIGN = _byte_of_sign()
