"""How much each unit tells of a mark: scores of an activation's values against it.

- correlation: Pearson's r. Of marks of 0 and 1 it is the point-biserial correlation (Tate 1954,
  doi:10.1214/aoms/1177728730): the difference of the means inside and outside, in standard
  deviations, times sqrt(share inside * share outside).
- mutual information, in bits: how much of the mark is known once the value is (Shannon 1948,
  doi:10.1002/j.1538-7305.1948.tb01338.x), of values in 16 bins. The plug-in estimate: it is too
  large by about 15 / (2 N ln 2) bits, which of 2,000 tokens is 0.005 (Miller 1955). A unit that is
  large *or* small inside has much of it and no correlation.

Both are summed up piece by piece: nothing of a long text is kept.

Shapes: T tokens, W units of an activation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from service.rows.arrays import Float32, Float64

_NUM_BINS = 16


class Score(ABC):
    """Of all units of one activation."""

    @abstractmethod
    def add(self, values_TW: Float32, mark_T: Float32) -> None:
        """What the units were at some tokens, and the marks of these."""

    @abstractmethod
    def scores(self) -> Float64:
        """float64[W]; 0 of a unit that never moves."""


class Correlation(Score):
    """Pearson's r, of moments around the first token's values: those of a cell may be far off 0."""

    def __init__(self) -> None:
        self._number = 0
        self._origin: Float64 | None = None
        self._sums: list[Float64] = [np.zeros(1)] * 5

    def add(self, values_TW: Float32, mark_T: Float32) -> None:
        """See `Score`."""
        values = values_TW.astype(np.float64)
        if self._origin is None:
            self._origin = values[0]
        x, y = values - self._origin, mark_T.astype(np.float64)
        sums = [x.sum(0), (x * x).sum(0), y @ x, y.sum(keepdims=True), (y @ y)[None]]
        self._sums = [a + b for a, b in zip(self._sums, sums, strict=True)]
        self._number += len(values)

    def scores(self) -> Float64:
        """In -1..1."""
        x, xx, xy, y, yy = (total / self._number for total in self._sums)
        variances = np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0)
        # What is left of a constant by rounding is no variance.
        moves = variances > 1e-14
        return np.where(moves, (xy - x * y) / np.sqrt(np.where(moves, variances, 1)), 0.0)


class MutualInformation(Score):
    """In bits, of a mark of 0 or 1 and the value in bins of equal width over -1..1.

    A cell, which has no bound, goes by its tanh: that keeps the order, and is what the output sees.
    """

    def __init__(self, *, is_bounded: bool) -> None:
        self._is_bounded = is_bounded
        self._counts = np.zeros((0, 2, _NUM_BINS), np.int64)

    def add(self, values_TW: Float32, mark_T: Float32) -> None:
        """See `Score`."""
        values = values_TW if self._is_bounded else np.tanh(values_TW)
        num_units = values.shape[1]
        bin_TW = np.clip((values + 1) * (_NUM_BINS / 2), 0, _NUM_BINS - 1).astype(np.int64)
        side_T1 = (mark_T > 0).astype(np.int64)[:, None]
        place_TW = (np.arange(num_units) * 2 + side_T1) * _NUM_BINS + bin_TW
        counts = np.bincount(place_TW.ravel(), minlength=num_units * 2 * _NUM_BINS)
        counts = counts.reshape(num_units, 2, _NUM_BINS)
        self._counts = counts if not len(self._counts) else self._counts + counts

    def scores(self) -> Float64:
        """In 0..1: a mark is one bit at most."""
        joint = self._counts / self._counts[0].sum()
        apart = joint.sum(2, keepdims=True) * joint.sum(1, keepdims=True)
        terms = joint * np.log2(np.where(joint > 0, joint, 1) / np.where(apart > 0, apart, 1))
        information: Float64 = np.maximum(terms.sum((1, 2)), 0.0)
        return information
