"""A row as bytes: what is kept of a session, on a disk or in another process.

All numbers are little-endian; W, V, P and G are counts, `id` is u16 where V <= 65,536, else u32.

| bytes     | content                                                                       |
|-----------|-------------------------------------------------------------------------------|
| 8         | magic: `LSTMROW` and the version of this layout, 1                             |
| 32        | fingerprint: of the artefact that the row belongs to                          |
| 8         | number of tokens, u64                                                         |
| 4 x 4     | W width of the state, V size of the vocabulary, P ids that the text holds, G ids that it has generated; u32 |
| 4 x W     | state, f32                                                                    |
| 4 x V     | logits of the next token, f32                                                 |
| P ids     | that the text holds, ascending                                                |
| G ids     | that it has generated, ascending                                              |
| 4 x G     | how often each of them, u32, none of them 0                                   |
| 4         | CRC-32 of all that comes before                                               |

The length follows from the counts and must be exact. The checksum finds damage, not forgery.
"""  # noqa: E501

from __future__ import annotations

import struct
import zlib

import numpy as np

from service.rows.row import Row, RowShape

_MAGIC = b"LSTMROW"
_VERSION = 1
_HEAD = struct.Struct("<7sB32sQ4I")
_CRC = struct.Struct("<I")


class RowUnreadable(ValueError):
    """The bytes are not a row of this model; the message says why."""


def encoded_bytes(shape: RowShape, *, num_present: int, num_generated: int) -> int:
    """Bytes of a row.

    Args:
        shape: The model's that it is of.
        num_present: Ids that the text holds.
        num_generated: Ids that it has generated.
    """
    id_bytes = np.dtype(_id_type(shape)).itemsize * (num_present + num_generated)
    num_floats = shape.state_width + shape.vocabulary_size
    return _HEAD.size + 4 * (num_floats + num_generated) + id_bytes + _CRC.size


def encode_row(row: Row, fingerprint: bytes) -> bytes:
    """The row as bytes.

    Args:
        row: Of the artefact.
        fingerprint: The artefact's, 32 bytes.

    Raises:
        ValueError: It holds what is no finite number.
    """
    if not (np.isfinite(row.state_W).all() and np.isfinite(row.logits_V).all()):
        raise ValueError("the row holds numbers that are not finite")
    present_P = np.flatnonzero(row.present_V)
    generated_G = np.flatnonzero(row.generated_V)
    shape = row.shape
    counts = (shape.state_width, shape.vocabulary_size, len(present_P), len(generated_G))
    id_type = _id_type(shape)
    content = b"".join(
        (
            _HEAD.pack(_MAGIC, _VERSION, fingerprint, row.num_tokens, *counts),
            row.state_W.astype("<f4").tobytes(),
            row.logits_V.astype("<f4").tobytes(),
            present_P.astype(id_type).tobytes(),
            generated_G.astype(id_type).tobytes(),
            row.generated_V[generated_G].astype("<u4").tobytes(),
        )
    )
    return content + _CRC.pack(zlib.crc32(content))


def decode_row(content: bytes, shape: RowShape, fingerprint: bytes) -> Row:
    """A row from its bytes, owned by nobody else.

    Args:
        content: Of `encode_row`.
        shape: The model's that the row is for.
        fingerprint: Of that artefact.

    Raises:
        RowUnreadable: It is no row, damaged, of a newer layout, or of another artefact.
    """
    num_tokens, num_present, num_generated = _checked_head(content, shape, fingerprint)
    reader = _Reader(content, _HEAD.size)
    id_type = np.dtype(_id_type(shape))
    # State and logits in one go: for arrays so small each call costs more than what it does.
    float_N = reader.take("<f4", shape.state_width + shape.vocabulary_size).astype(np.float32)
    if not np.isfinite(float_N).all():
        raise RowUnreadable("the row holds numbers that are not finite")
    row = Row(
        state_W=float_N[: shape.state_width],
        logits_V=float_N[shape.state_width :],
        present_V=np.zeros(shape.vocabulary_size, np.bool_),
        generated_V=np.zeros(shape.vocabulary_size, np.int32),
        num_tokens=num_tokens,
    )
    present_P = _checked_ids(reader.take(id_type, num_present), shape)
    generated_G = _checked_ids(reader.take(id_type, num_generated), shape)
    counts_G = reader.take("<u4", num_generated)
    if not (counts_G > 0).all() or not (counts_G < 1 << 31).all():
        raise RowUnreadable("the row counts an id that it has not generated")
    row.present_V[present_P] = True
    row.generated_V[generated_G] = counts_G
    return row


def _checked_head(content: bytes, shape: RowShape, fingerprint: bytes) -> tuple[int, int, int]:
    """Number of tokens, P and G, of bytes that are whole and belong to the artefact."""
    if len(content) < _HEAD.size + _CRC.size:
        raise RowUnreadable(f"{len(content)} bytes are too few for a row")
    magic, version, found, num_tokens, *counts = _HEAD.unpack_from(content)
    if magic != _MAGIC:
        raise RowUnreadable("this is not a row")
    if version != _VERSION:
        raise RowUnreadable(
            f"the row has layout {version}, of a newer program; this one reads {_VERSION}"
        )
    num_states, num_logits, num_present, num_generated = counts
    if found != fingerprint or RowShape(num_states, num_logits) != shape:
        raise RowUnreadable("the row belongs to another model, or to another version of this one")
    num_bytes = encoded_bytes(shape, num_present=num_present, num_generated=num_generated)
    if len(content) != num_bytes:
        raise RowUnreadable(f"the row is cut off, or too long: {len(content)} bytes of {num_bytes}")
    if _CRC.unpack_from(content, num_bytes - _CRC.size)[0] != zlib.crc32(content[: -_CRC.size]):
        raise RowUnreadable("the row is damaged: its checksum is another one")
    return num_tokens, num_present, num_generated


class _Reader:
    """Takes arrays out of bytes, one after the other."""

    def __init__(self, content: bytes, offset: int) -> None:
        self._content = content
        self._offset = offset

    def take(self, dtype: np.dtype[np.generic] | str, number: int) -> np.ndarray:
        """The next `number` elements."""
        array = np.frombuffer(self._content, dtype, number, self._offset)
        self._offset += array.nbytes
        return array


def _id_type(shape: RowShape) -> str:
    return "<u2" if shape.vocabulary_size <= 1 << 16 else "<u4"


def _checked_ids(ids_N: np.ndarray, shape: RowShape) -> np.ndarray:
    is_ascending = (ids_N[1:] > ids_N[:-1]).all()
    if not is_ascending or (len(ids_N) and ids_N[-1] >= shape.vocabulary_size):
        raise RowUnreadable("the row holds ids that its model does not have, or one twice")
    return ids_N
