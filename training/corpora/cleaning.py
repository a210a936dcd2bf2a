"""What is done to a text before it is anything else: only what the config says, and no more."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from training.config.text import CleaningConfig

Clean = Callable[[str], str]


def cleaner(config: CleaningConfig) -> Clean:
    """All steps that are asked for: Unicode, Chinese, case."""
    steps: list[Clean] = []
    if config.unicode is not None:
        form = config.unicode
        steps.append(lambda text: unicodedata.normalize(form, text))
    if config.simplified_chinese:
        steps.append(_to_simplified())
    if config.lowercase:
        steps.append(str.lower)

    def clean(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return clean


def _to_simplified() -> Clean:
    """Traditional characters to simplified ones, by OpenCC's phrases."""
    import opencc  # loads dictionaries: only for those who ask

    convert: Clean = opencc.OpenCC("t2s").convert
    return convert
