"""What is said of a text whose bytes are not what they should be."""

from __future__ import annotations

from training.corpora.encodings import SAMPLE_BYTES, common_name, likely_encoding
from training.corpora.opened import Opened, shown

_CHOICES = "--errors replace (they become U+FFFD) or --errors skip (they are left out)"


def damaged(file: Opened, encoding: str, places: str) -> str:
    """Only some bytes are not as they should be."""
    return (
        f"{shown(file.path)} is {common_name(encoding)} but for {places}: mend it, or say "
        f"{_CHOICES}; in a config, corpus.errors. They are counted"
    )


def in_another_encoding(
    file: Opened, encoding: str, content: bytes, place: str, places: str
) -> str:
    """It was written in another encoding than the one that it is read by.

    Args:
        file: Which one.
        encoding: What it is read by.
        content: The bytes around the first bad one.
        place: Where that is.
        places: How many are bad.
    """
    begin = f"{shown(file.path)} is not {common_name(encoding)}: {place}"
    likely = likely_encoding(_sample(content))
    if likely is None or likely == encoding:
        return (
            f"{begin}, and it is in no encoding that is recognised. If it is a text, name its "
            "encoding by --encoding (in a config, corpus.encoding); if only some of its bytes are "
            f"bad ({places}), say {_CHOICES}"
        )
    return f"{begin}. It looks like {_way_out(file, likely)}"


def looks_like(file: Opened, encoding: str, why: str) -> str:
    """It would pass for UTF-8, and is something else."""
    return f"{shown(file.path)}, {why}, looks like {_way_out(file, encoding)}"


def _way_out(file: Opened, encoding: str) -> str:
    name = common_name(encoding)
    convert = file.command(f"iconv -f {name.upper()} -t UTF-8", "utf-8")
    return (
        f"{name}: say --encoding {name} (in a config, corpus.encoding), or convert it by"
        f"\n  {convert}"
    )


def _sample(content: bytes) -> bytes:
    """The lines with other bytes than ASCII; all of it where lines cannot be told so."""
    if content.count(0) > len(content) // 50:
        return content[:SAMPLE_BYTES]
    sample = bytearray()
    for line in content.split(b"\n"):
        if not line.isascii():
            sample += line[:SAMPLE_BYTES] + b"\n"
        if len(sample) >= SAMPLE_BYTES:
            break
    return bytes(sample[:SAMPLE_BYTES])
