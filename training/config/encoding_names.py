"""What encodings of texts are called in a config."""

from __future__ import annotations

import codecs


def python_name(encoding: str) -> str:
    """The one name that Python has for an encoding of texts, in bytes.

    Raises:
        ValueError: there is none that a file can be read by.
    """
    try:
        "".encode(encoding)  # refuses codecs that are no encodings, such as base64
        name = codecs.lookup(encoding).name
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError) as error:
        raise ValueError(
            f"no encoding is called {encoding!r}; usual ones are utf-8, utf-16, windows-1252, "
            "iso-8859-1, windows-1251, koi8-r, gb18030, big5, shift-jis, euc-jp, euc-kr"
        ) from error
    if name in ("idna", "punycode", "undefined") or "escape" in name:
        raise ValueError(f"{encoding!r} is no encoding of files")
    return "utf-8" if name == "utf-8-sig" else name
