"""A text coloured by a unit, as a page of HTML: for texts whose characters no font here has."""

from __future__ import annotations

import html
from collections.abc import Sequence

from service.rows.arrays import Float32
from training.inside.reading import TokenText

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
  body {{ font: 16px/1.6 monospace; margin: 2em auto; max-width: 60em; }}
  body {{ background: #fff; color: #111; }}
  h2 {{ font-size: 1em; margin: 2em 0 0.5em; }}
  p {{ white-space: pre-wrap; margin: 0; }}
</style>
<h1>{title}</h1>
<p>Red: above zero, blue: below; the deeper, the farther.
Each token stands on the value after it.</p>
{units}
</html>
"""


def coloured_page(units: Sequence[tuple[str, Float32]], text: TokenText, title: str) -> str:
    """The text once for each unit.

    Args:
        units: Name, and float32[T] values.
        text: The T tokens.
        title: Of the page.
    """
    parts = [
        f"<h2>{html.escape(name)}</h2>\n<p>{_coloured(values_T, text)}</p>"
        for name, values_T in units
    ]
    return _PAGE.format(title=html.escape(title), units="\n".join(parts))


def _coloured(values_T: Float32, text: TokenText) -> str:
    span = float(abs(values_T).max()) or 1.0
    spans = []
    for value, piece in zip((values_T / span).tolist(), text.pieces, strict=True):
        colour = "179,64,46" if value > 0 else "31,111,139"
        name = f"{value * span:.3f}"
        shown = html.escape(piece.replace("\n", "↵\n"))
        style = f"background:rgba({colour},{abs(value):.2f})"
        spans.append(f'<span style="{style}" title="{name}">{shown}</span>')
    return "".join(spans)
