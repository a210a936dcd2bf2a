"""Messages and the document that explains them, held together."""

from pathlib import Path

_DOCUMENT = Path(__file__).parents[2] / "docs" / "texts.md"


def documented(phrase: str) -> str:
    """The part of a message, which stands in docs/texts.md too.

    Use it where a test expects a message: `match=re.escape(documented("is packed with gzip"))`.
    """
    text = " ".join(_DOCUMENT.read_text(encoding="utf-8").split())
    assert phrase in text, f"docs/texts.md does not say what {phrase!r} means"
    return phrase
