"""A text in blocks of about a million characters, so that what looks at them can use numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK_CHARACTERS = 1 << 20


def in_blocks(
    texts: Iterable[str], *, are_items: bool, size: int = BLOCK_CHARACTERS
) -> Iterator[str]:
    """The pieces joined to blocks of at least `size` characters, but for the last one.

    Args:
        texts: The pieces.
        are_items: Whether each of them is a text by itself: it then ends with a newline.
        size: In characters.
    """
    pieces: list[str] = []
    num_characters = 0
    for text in texts:
        pieces.append(text + "\n" if are_items else text)
        num_characters += len(pieces[-1])
        if num_characters >= size:
            yield "".join(pieces)
            pieces, num_characters = [], 0
    if pieces:
        yield "".join(pieces)


def code_points(text: str) -> NDArray[np.uint32]:
    """Of each character, uint32[N]."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
