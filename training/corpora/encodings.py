"""Which encoding a text may be in, by its bytes; and what encodings are called.

Nothing is read by a guess: what is found here stands in a message.
"""

from __future__ import annotations

import codecs
import re

import charset_normalizer

SAMPLE_BYTES = 1 << 16
"""A detector sees no more."""

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "utf-8",
    b"\x84\x31\x95\x33": "gb18030",
}
_CANDIDATES = (
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp949",
    "cp1251",
    "koi8_r",
    "cp866",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
    "utf_16_le",
    "utf_16_be",
    "cp1252",
    "cp1250",
)
"""What people's texts are in; the detector knows 90, and takes rare ones for frequent ones."""

_PAIRS = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
"""Of two bytes for a character."""
_MIN_WIDE_BYTES = 4
"""Fewer could be anything."""

_SIGNS = "\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2026\xa0"
"""Quotation marks, dashes and the like."""
_WESTERN = "éèêëàâäáãåçùûüúîïíìôöóòõñßøæœÉÈÊÀÂÄÁÅÇÜÚÎÍÔÖÓÑØÆŒ«»¿¡°§©€" + _SIGNS
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžőűöüäâăîșțşţßĄĆĘŁŃÓŚŹŻÁČĎÉĚÍŇŘŠŤÚŮÝŽŐŰÖÜÄĂÎŞŢ" + _SIGNS
_TURKISH = "çğıöşüâîûÇĞİÖŞÜ" + _SIGNS
_ALPHABETS = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1254": _TURKISH,
    "iso8859_2": _CENTRAL,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp852": _CENTRAL,
}
"""Single bytes with Latin letters: told apart by the letters that make words, of the first best."""


def marked_encoding(head: bytes) -> str | None:
    """What a byte order mark at the beginning says."""
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)


def unmarked_wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by where the NULs are."""
    if len(head) < 8:
        return None
    # Of the four bytes of a unit of UTF-32, how many are NUL.
    shares = [head[place::4].count(0) / len(head[place::4]) for place in range(4)]
    if shares[3] > 0.99 and shares[2] > 0.9 and shares[0] < 0.5:
        return "utf-32-le"
    if shares[0] > 0.99 and shares[1] > 0.9 and shares[3] < 0.5:
        return "utf-32-be"
    even, odd = (shares[0] + shares[2]) / 2, (shares[1] + shares[3]) / 2
    if max(even, odd) < 0.01 or min(even, odd) > max(even, odd) / 10:
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    # Latin letters have a NUL each. Of others the first halves are controls; and fields that are
    # separated by NULs have neither, but make rare signs of two letters each.
    wide = _share_of_controls(head[: len(head) // 2 * 2].decode(name, "replace"))
    narrow = _share_of_controls(head.replace(b"\0", b"").decode("latin-1"))
    return name if wide < 0.02 and (max(even, odd) > 0.4 or narrow > 0.03) else None


def escaped_encoding(head: bytes) -> str | None:
    """ISO-2022-JP: nothing but ASCII to whoever does not know its escape sequences."""
    return "iso2022_jp" if re.search(rb"\x1b\$[@B][!-~]", head) else None


def likely_encoding(sample: bytes) -> str | None:
    """The name of the encoding that a text is probably in, for Python.

    Args:
        sample: Whole lines of it, those with other bytes than ASCII.
    """
    if (wide := unmarked_wide(sample)) is not None:
        return wide
    if sum(byte >= 0x80 for byte in sample) < _MIN_WIDE_BYTES:
        return None
    sample = sample[:SAMPLE_BYTES]
    # Half a character at the end is in none of the encodings of pairs.
    lines, newline, _ = sample.rpartition(b"\n")
    for part in [lines] if newline else [sample[:-1], sample]:
        matches = charset_normalizer.from_bytes(part, cp_isolation=list(_CANDIDATES))
        # Single bytes are hardly ever well-formed pairs; pairs are often likely single bytes.
        names = [str(match.encoding) for match in matches if match.chaos == 0.0]
        if (pairs := next((name for name in names if name in _PAIRS), None)) is not None:
            return pairs
    best = matches.best()
    if best is not None and best.encoding not in ("cp1252", "cp1250"):
        return str(best.encoding)
    shares = {name: _share_of_letters(sample, name) for name in _ALPHABETS}
    name = max(shares, key=lambda each: shares[each])
    return name if shares[name] > 0.5 else None


def common_name(encoding: str) -> str:
    """What people, Python and iconv (in capitals) call it."""
    name = codecs.lookup(encoding).name.replace("_", "-")
    if name in _COMMON:
        return _COMMON[name]
    name = re.sub(r"^cp(125\d)$", r"windows-\1", name)
    name = re.sub(r"^iso8859-", "iso-8859-", name)
    name = re.sub(r"^iso2022-", "iso-2022-", name)
    return re.sub(r"^utf-(16|32)-([lb]e)$", r"utf-\1\2", name)


_COMMON = {"mac-roman": "macintosh", "utf-8": "UTF-8"}


def _share_of_controls(text: str) -> float:
    """Of characters that no text has."""
    odd = sum(character < " " and character not in "\t\n\r\f" for character in text)
    return (odd + text.count("\ufffd")) / max(1, len(text))


def _share_of_letters(sample: bytes, encoding: str) -> float:
    """Of the characters beyond ASCII: how many are of the alphabet's languages."""
    try:
        wide = [sign for sign in sample.decode(encoding) if not sign.isascii()]
    except UnicodeDecodeError:
        return 0.0
    return sum(sign in _ALPHABETS[encoding] for sign in wide) / max(1, len(wide))
