"""Each architecture once more, in numpy and float64, as its paper writes it: gate by gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Weights = Mapping[str, Float]
Cell = Callable[[Weights, Float, list[Float]], list[Float]]


def sigmoid(a: Float) -> Float:
    """The logistic function."""
    return 1.0 / (1.0 + np.exp(-a))


def layer_norm(a: Float, gain: Float, shift: Float) -> Float:
    """Of one row."""
    return gain * (a - a.mean()) / np.sqrt(a.var() + 1e-5) + shift


def lstm(w: Weights, x: Float, state: list[Float]) -> list[Float]:
    """Gers et al. 2000; with R, Sak et al. 2014."""
    h, c = state
    sums = w["weight_x"] @ x + w["weight_h"] @ h + w["bias"]
    i, f, candidate, o = np.split(sums, 4)
    new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    new_h = sigmoid(o) * np.tanh(new_c)
    if "weight_projection" in w:
        new_h = w["weight_projection"] @ new_h
    return [new_h, new_c]


def gru(w: Weights, x: Float, state: list[Float]) -> list[Float]:
    """Cho et al. 2014, the reset after the product."""
    [h] = state
    of_x = np.split(w["weight_x"] @ x + w["bias_x"], 3)
    of_h = np.split(w["weight_h"] @ h + w["bias_h"], 3)
    r, z = (sigmoid(of_x[n] + of_h[n]) for n in (0, 1))
    return [(1 - z) * np.tanh(of_x[2] + r * of_h[2]) + z * h]


def tanh_rnn(w: Weights, x: Float, state: list[Float]) -> list[Float]:
    """Elman 1990."""
    return [np.tanh(w["weight_x"] @ x + w["weight_h"] @ state[0] + w["bias"])]


def peephole_lstm(w: Weights, x: Float, state: list[Float]) -> list[Float]:
    """Gers & Schmidhuber 2000."""
    h, c = state
    i, f, candidate, o = np.split(w["weight_x"] @ x + w["weight_h"] @ h + w["bias"], 4)
    p_i, p_f, p_o = w["peepholes"]
    new_c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(candidate)
    return [sigmoid(o + p_o * new_c) * np.tanh(new_c), new_c]


def layernorm_lstm(w: Weights, x: Float, state: list[Float]) -> list[Float]:
    """Ba et al. 2016, equations 20 to 22."""
    h, c = state
    of_x = layer_norm(w["weight_x"] @ x, w["gain_x"], w["bias"])
    of_h = layer_norm(w["weight_h"] @ h, w["gain_h"], np.zeros(1))
    i, f, candidate, o = np.split(of_x + of_h, 4)
    new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return [sigmoid(o) * np.tanh(layer_norm(new_c, w["gain_c"], w["shift_c"])), new_c]


CELLS: Mapping[str, Cell] = {
    "lstm": lstm,
    "gru": gru,
    "tanh-rnn": tanh_rnn,
    "peephole-lstm": peephole_lstm,
    "layernorm-lstm": layernorm_lstm,
}
