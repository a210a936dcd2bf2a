"""Whether lines or paragraphs look like texts by themselves: names, verses, questions."""

from __future__ import annotations

from training.portrait.lines import Layout, Pieces

_ENOUGH = 200
_FEW_EMPTY = 0.01
_LONGEST_LINE, _LONGEST_PARAGRAPH = 200, 2_000
"""Characters that nearly all of them must keep to."""


def item_advice(layout: Layout) -> tuple[str, str]:
    """What would be items of a text: of its lines, and of its paragraphs, a sentence each."""
    return _of_lines(layout), _of_paragraphs(layout)


def _of_lines(layout: Layout) -> str:
    lines = layout.lines
    if lines.number < _ENOUGH:
        return f"no: fewer than {_ENOUGH} of them"
    if layout.num_empty_lines > _FEW_EMPTY * layout.num_lines:
        return "hardly: empty lines stand between them"
    return _by_length(lines, _LONGEST_LINE, "lines")


def _of_paragraphs(layout: Layout) -> str:
    paragraphs = layout.paragraphs
    if paragraphs.number < _ENOUGH:
        return f"no: fewer than {_ENOUGH} of them"
    return _by_length(paragraphs, _LONGEST_PARAGRAPH, "paragraphs")


def _by_length(pieces: Pieces, longest: int, kind: str) -> str:
    length = pieces.quantile(0.99)
    if length > longest:
        return f"hardly: one in a hundred has more than {longest:,} characters"
    return f"yes, if each is a text by itself: --items {kind} (in a config's [corpus], items)"
