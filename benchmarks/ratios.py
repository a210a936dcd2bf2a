"""What is told of contestants that were measured in turn, round by round.

The speed of a shared machine drifts, so a ratio is taken within a round, and then the median.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def print_ratios(rounds: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """A line for each contestant: the median of its figures, and of its ratios to the first one.

    Args:
        rounds: Of each the figures by the contestants' names, the same names in all.

    Returns:
        The same as `median` and `ratio`, by name.
    """
    first = next(iter(rounds[0]))
    found = {}
    for name in rounds[0]:
        median = statistics.median(figures[name] for figures in rounds)
        ratio = statistics.median(figures[name] / figures[first] for figures in rounds)
        found[name] = {"median": median, "ratio": round(ratio, 3)}
        print(f"  {name:32}{median:>14,.5g}{ratio:>10.3f}", flush=True)
    return found
