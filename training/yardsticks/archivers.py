"""What gzip and xz make of a text: bits per character that anybody can check."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

MAX_BYTES = 4 << 20
"""So much of a text is packed: seconds of xz, and no more memory than its own."""
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Packed:
    """Sizes of one text, packed by itself."""

    num_characters: int
    """How many of it were packed; line ends between items are not counted, nor are they in a
    model's figure."""
    is_all: bool
    """Whether that is all of the text."""
    gzip_bits: float
    """Per character, as by `gzip -9`."""
    xz_bits: float
    """Per character, as by `xz`."""


def pack(texts: Iterable[str], *, are_items: bool, max_bytes: int = MAX_BYTES) -> Packed:
    """Pack a text that has at least one character, or its beginning.

    Args:
        texts: Its pieces.
        are_items: Whether each of them is a text by itself: it then ends with a newline.
        max_bytes: Pack no more pieces once so many bytes of UTF-8 are packed.
    """
    gzip = zlib.compressobj(9, zlib.DEFLATED, _GZIP_FORMAT)
    xz = lzma.LZMACompressor()
    gzip_bytes = xz_bytes = num_characters = num_bytes = 0
    is_all = True
    for text in texts:
        if num_bytes >= max_bytes:
            is_all = False
            break
        content = (text + "\n" if are_items else text).encode("utf-8", "surrogatepass")
        num_characters += len(text)
        num_bytes += len(content)
        gzip_bytes += len(gzip.compress(content))
        xz_bytes += len(xz.compress(content))
    gzip_bytes += len(gzip.flush())
    xz_bytes += len(xz.flush())
    bits_per_byte = 8 / num_characters
    return Packed(num_characters, is_all, gzip_bytes * bits_per_byte, xz_bytes * bits_per_byte)
