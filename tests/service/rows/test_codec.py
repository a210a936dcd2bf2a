"""Rows as bytes: there and back bit for bit, and nothing else gets in."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rows.codec import RowUnreadable, decode_row, encode_row, encoded_bytes
from service.rows.row import Row, RowShape

_MARK = bytes(range(32))
_SHAPE = RowShape(4, 3)


def _row(shape=_SHAPE, seed=0, num_tokens=5):
    rng = np.random.default_rng(seed)
    row = Row.start(shape)
    return dataclasses.replace(
        row,
        state_W=rng.standard_normal(shape.state_width).astype(np.float32),
        logits_V=rng.standard_normal(shape.vocabulary_size).astype(np.float32),
        present_V=rng.random(shape.vocabulary_size) < 0.5,
        generated_V=rng.integers(0, 3, shape.vocabulary_size).astype(np.int32),
        num_tokens=num_tokens,
    )


def _assert_same(one, other):
    for field in dataclasses.fields(Row):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes()
        else:
            assert mine == theirs


def _resealed(content):
    return content[:-4] + struct.pack("<I", zlib.crc32(content[:-4]))


@given(
    width=st.integers(0, 40),
    vocabulary=st.sampled_from([1, 2, 65, 65_536, 65_537]),
    seed=st.integers(0, 1000),
    num_tokens=st.integers(0, 2**63 - 1),
)
def test_there_and_back(width, vocabulary, seed, num_tokens):
    """Of every shape and length, bit for bit; also what two bytes cannot count."""
    row = _row(RowShape(width, vocabulary), seed, num_tokens)
    content = encode_row(row, _MARK)

    _assert_same(row, decode_row(content, row.shape, _MARK))
    counts = {"num_present": row.present_V.sum(), "num_generated": (row.generated_V > 0).sum()}
    assert len(content) == encoded_bytes(row.shape, **counts)


def test_odd_numbers_stay_what_they_are():
    """A negative zero, the smallest and the largest."""
    odd = np.array([-0.0, 1e-45, -3.4028235e38, 1.0], np.float32)
    row = dataclasses.replace(_row(), state_W=odd)

    _assert_same(row, decode_row(encode_row(row, _MARK), _SHAPE, _MARK))


def test_it_is_small():
    """A model with two layers of 512 and 65 characters: 8.6 KB."""
    row = _row(RowShape(2048, 65))

    assert 8192 + 260 < len(encode_row(row, _MARK)) < 8192 + 260 + 72 + 65 * 8


def test_the_layout():
    """Byte by byte: whatever reads it in a year needs to find the same."""
    row = Row(
        state_W=np.array([1.5], np.float32),
        logits_V=np.array([0.25, -2.0], np.float32),
        present_V=np.array([True, True]),
        generated_V=np.array([0, 7], np.int32),
        num_tokens=9,
    )
    content = encode_row(row, _MARK)

    assert b"LSTMROW\x01" + _MARK == content[:40]
    assert struct.unpack("<Q4I", content[40:64]) == (9, 1, 2, 2, 1)
    assert struct.unpack("<3f3HI", content[64:-4]) == (1.5, 0.25, -2.0, 0, 1, 1, 7)
    assert struct.pack("<I", zlib.crc32(content[:-4])) == content[-4:]


@given(st.data())
def test_no_damage_gets_in(data):
    """A flipped bit, a cut, bytes too many, or rubbish."""
    content = encode_row(_row(), _MARK)
    kind = data.draw(st.sampled_from(["flip", "cut", "longer", "rubbish"]))
    if kind == "flip":
        place = data.draw(st.integers(0, len(content) * 8 - 1))
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        content = bytes(changed)
    elif kind == "cut":
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    elif kind == "longer":
        content += data.draw(st.binary(min_size=1, max_size=9))
    else:
        content = data.draw(st.binary(max_size=200))

    with pytest.raises(RowUnreadable):
        decode_row(content, _SHAPE, _MARK)


@pytest.mark.parametrize(
    ("place", "new", "why"),
    [
        (0, b"X", "not a row"),
        (7, b"\x02", "newer program"),
        (8, b"\xff", "another model"),
        (48, struct.pack("<I", 5), "another model"),
        (56, struct.pack("<I", 2**32 - 1), "cut off"),
        (64, struct.pack("<f", np.nan), "finite"),
        (80, struct.pack("<f", np.inf), "finite"),
    ],
)
def test_what_is_wrong_is_said(place, new, why):
    """Also where the checksum is right: somebody may have made it so."""
    content = bytearray(encode_row(_row(), _MARK))
    content[place : place + len(new)] = new

    with pytest.raises(RowUnreadable, match=why):
        decode_row(_resealed(bytes(content)), _SHAPE, _MARK)


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ((1, 0, 2, 1), "ids"),  # present: not ascending
        ((0, 3, 2, 1), "ids"),  # beyond the vocabulary
        ((1, 1, 2, 1), "ids"),  # twice
        ((0, 1, 9, 1), "ids"),  # generated: beyond
        ((0, 1, 2, 0), "counts"),
        ((0, 1, 2, 2**31), "counts"),
    ],
)
def test_ids_and_counts_are_of_the_model(rest, why):
    """Two ids present, one generated, and how often."""
    row = dataclasses.replace(
        _row(),
        present_V=np.array([True, True, False]),
        generated_V=np.array([0, 0, 4], np.int32),
    )
    content = encode_row(row, _MARK)
    content = content[:-14] + struct.pack("<3HI", *rest) + content[-4:]

    with pytest.raises(RowUnreadable, match=why):
        decode_row(_resealed(content), _SHAPE, _MARK)


def test_a_row_that_is_not_finite_is_not_kept():
    """It could not be read again."""
    row = dataclasses.replace(_row(), state_W=np.array([np.nan] * 4, np.float32))

    with pytest.raises(ValueError, match="finite"):
        encode_row(row, _MARK)
