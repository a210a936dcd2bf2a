"""look.png: lengths, characters and entropy of a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from training.pictures import BLUE, GREEN, PALE_BLUE, RED, drawable, picture
from training.portrait.alphabet import Sign, readable
from training.portrait.lines import Pieces
from training.portrait.portrait import Portrait

_MOST_FREQUENT = 30
_SHORT = 300


def draw_portrait(portrait: Portrait, title: str, path: Path) -> None:
    """Three plots beside each other."""
    # A name may hold "$", which matplotlib would take for the beginning of a formula.
    with picture(path, (15, 6.2), (1, 3)) as plots:
        lengths, characters, entropy = next(plots), next(plots), next(plots)
        _draw_lengths(lengths, portrait.layout.lines)
        _draw_characters(characters, portrait)
        _draw_entropy(entropy, portrait)
        figure = lengths.figure
        figure.suptitle(drawable(title), parse_math=False)


def _draw_lengths(axes: Axes, lines: Pieces) -> None:
    longest = lines.longest
    is_short = longest <= _SHORT
    # Bins of a logarithmic axis are of different widths; lines of verse need none.
    edges = (
        np.arange(1, longest + 2, 1 + longest // 60)
        if is_short
        else np.unique(np.geomspace(1, longest + 1, 60).astype(np.int64))
    )
    edges = np.append(edges, max(longest, edges[-1]) + 1)
    sums = np.add.reduceat(lines.lengths[: edges[-1]], edges[:-1]) if lines.number else edges[:-1]
    axes.stairs(sums, edges, fill=True, color=PALE_BLUE)
    median = lines.quantile(0.5)
    axes.axvline(median, color=RED, linewidth=1.2, label=f"median {median:,}")
    axes.set(
        title="How long lines are",
        xlabel="characters in a line (empty lines are left out)",
        ylabel="lines",
        xscale="linear" if is_short else "log",
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False)


def _draw_characters(axes: Axes, portrait: Portrait) -> None:
    shown = portrait.alphabet.signs[:_MOST_FREQUENT]
    shares = [100 * sign.count / portrait.alphabet.num_characters for sign in shown]
    places = np.arange(len(shown))
    axes.set_axisbelow(True)
    axes.barh(places, shares, color=BLUE, height=0.75)
    axes.set_yticks(places, [_label(sign) for sign in shown], fontsize=7, parse_math=False)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    number = len(portrait.alphabet.signs)
    axes.set(
        title=f"The {len(shown)} most frequent of {number:,} characters",
        xlabel="% of all characters",
    )


def _draw_entropy(axes: Axes, portrait: Portrait) -> None:
    bits = portrait.bits_by_order
    orders = np.arange(1, len(bits) + 1)
    axes.plot(orders, bits, marker="o", color=RED, label="n-grams, on held-out text")
    for order, value in zip(orders, bits, strict=True):
        axes.annotate(
            f"{value:.2f}", (order, value), xytext=(0, 7), textcoords="offset points", ha="center"
        )
    for name, value, colour in (
        ("uniform", portrait.uniform_bits, "#444444"),
        ("gzip -9", portrait.packed.gzip_bits, BLUE),
        ("xz", portrait.packed.xz_bits, GREEN),
    ):
        axes.axhline(value, color=colour, linestyle="--", label=f"{name}: {value:.2f}")
    axes.set(
        title="What a character costs without a network",
        xlabel="n: characters that are counted together",
        ylabel="bits per character",
        xticks=orders,
    )
    axes.set_ylim(0, 1.08 * max(*bits, portrait.uniform_bits, portrait.packed.gzip_bits))
    axes.legend(frameon=False, loc="best")


def _label(sign: Sign) -> str:
    """What the font has; the number of all else."""
    name = readable(sign.character)
    is_drawable = drawable(name) == name
    return name if is_drawable else f"U+{ord(sign.character):04X}"
