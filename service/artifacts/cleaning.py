"""What is done to a text before its tokens are looked up.

The same to what is trained on, to prompts and to stop strings: nobody does it a second way. It
depends on no more than a character and its neighbours, so that the pieces of a text, cut where a
line ends, give the pieces of the cleaned text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict
from tokenizers import Regex, normalizers

_FORMS = {"NFC": normalizers.NFC, "NFKC": normalizers.NFKC}


class Cleaning(BaseModel):
    """What was done to the text that a model was trained on, and is done to what it reads.

    Attributes:
        line_ends: What a carriage return became, with or without a newline after it; None: it was
            left.
        byte_order_marks: U+FEFF, wherever it stands.
        unicode: Unicode normalisation (Unicode Standard Annex 15).
        lower_case: Capitals became small letters.
        simplified_chinese: Traditional characters became simplified ones (OpenCC). The server does
            not do that to what it reads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line_ends: Literal["\n"] | None = "\n"
    byte_order_marks: Literal["removed"] | None = "removed"
    unicode: Literal["NFC", "NFKC"] | None = None
    lower_case: bool = False
    simplified_chinese: bool = False

    @classmethod
    def of_older_model(cls, config: Mapping[str, Any]) -> Self:
        """Of one whose manifest says it only in its `provenance.config`."""
        corpus, chosen = (
            section if isinstance(section := config.get(name), Mapping) else {}
            for name in ("corpus", "cleaning")
        )
        # The line ends and marks inside of JSON and of web pages were left.
        was_left = corpus.get("format") in ("jsonl", "wet")
        form = chosen.get("unicode")
        return cls(
            line_ends=None if was_left else "\n",
            byte_order_marks=None if was_left else "removed",
            unicode=form if form in ("NFC", "NFKC") else None,
            lower_case=chosen.get("lowercase") is True,
            simplified_chinese=chosen.get("simplified_chinese") is True,
        )


class Cleaner:
    """Cleans texts; a text of a known cleaning is left as it is.

    The library does it in linear time and without holding the interpreter's lock. Python's own
    `unicodedata.normalize` takes the square of the length of a row of combining marks: minutes for
    a prompt of nothing else.
    """

    def __init__(self, cleaning: Cleaning) -> None:
        signs = ""
        steps: list[normalizers.Normalizer] = []
        if cleaning.byte_order_marks == "removed":
            signs += "\ufeff"
            steps.append(normalizers.Replace("\ufeff", ""))
        if cleaning.line_ends is not None:
            signs += "\r"
            steps.append(normalizers.Replace(Regex(r"\r\n?"), cleaning.line_ends))
        form = [] if cleaning.unicode is None else [_FORMS[cleaning.unicode]()]
        steps += form
        if cleaning.lower_case:
            # A small letter may be another form of another sequence: I with a dot above.
            steps += [normalizers.Lowercase(), *form]
        self._normalizer = normalizers.Sequence(steps)
        self._only_without = None if form or cleaning.lower_case else signs

    def __call__(self, text: str) -> str:
        """The text, cleaned; never longer than 18 times its length (NFKC's longest)."""
        if self._only_without is not None and not any(s in text for s in self._only_without):
            return text
        return str(self._normalizer.normalize_str(text))
