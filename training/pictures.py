"""Pictures: one look for all, and the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

BLUE, RED, GREEN = "#1f6f8b", "#b3402e", "#6a994e"
LINE_COLOURS = (BLUE, RED, GREEN, "#7b5ea7", "#c98a1b", "#444444")
PALE_BLUE = "#8da9c4"
"""For what is behind the lines."""


@contextmanager
def picture(
    path: Path, size: tuple[float, float] = (7.5, 4.2), grid: tuple[int, int] = (1, 1)
) -> Iterator[Iterator[Axes]]:
    """A picture that is written at the end of the block.

    Args:
        path: Where to; the suffix says the format.
        size: Width and height in inches.
        grid: Rows and columns of plots.

    Yields:
        The plots, row by row, each made when it is asked for.
    """
    # Figure and canvas directly: pyplot would keep every figure alive in a global list.
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    yield (_plot(figure, grid, number) for number in range(1, grid[0] * grid[1] + 1))
    # No creation date inside of the file.
    figure.savefig(path, metadata={"Software": None})


def drawable(text: str) -> str:
    """With a question mark for what the font does not have."""
    font = _font()
    return "".join(c if font.get_char_index(ord(c)) else "?" for c in text)


@cache
def _font() -> FT2Font:
    return FT2Font(findfont(FontProperties(family=matplotlib.rcParams["font.family"])))


def _plot(figure: Figure, grid: tuple[int, int], number: int) -> Axes:
    axes = figure.add_subplot(*grid, number)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return axes
