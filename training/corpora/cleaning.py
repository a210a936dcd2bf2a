"""What is done to a text before it is anything else.

Line ends and byte order marks always; of the rest what the config says, and no more. What the
server can do to prompts and stop strings too is `service.artifacts.cleaning`, which does it here.
"""

from __future__ import annotations

from collections.abc import Callable

from service.artifacts.cleaning import Cleaner, Cleaning
from training.config.text import CleaningConfig

Clean = Callable[[str], str]

plain_lines: Clean = Cleaner(Cleaning())
"""Every line ends with a newline, and nothing is left of byte order marks."""


def recorded(config: CleaningConfig) -> Cleaning:
    """As it stands in a published model's manifest."""
    return Cleaning(
        unicode=config.unicode,
        lower_case=config.lowercase,
        simplified_chinese=config.simplified_chinese,
    )


def cleaner(config: CleaningConfig) -> Clean:
    """All of it."""
    clean = Cleaner(recorded(config))
    if not config.simplified_chinese:
        return clean
    simplified = _to_simplified()
    return lambda text: simplified(clean(text))


def _to_simplified() -> Clean:
    """Traditional characters to simplified ones, by OpenCC's phrases."""
    import opencc  # loads dictionaries: only for those who ask

    convert: Clean = opencc.OpenCC("t2s").convert
    return convert
