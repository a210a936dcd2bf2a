"""Rows of texts that were read before: a prompt that begins like one of them goes on from its row.

A radix tree over token ids. Ids are compared in full, never by a hash alone. A row is what reading
the ids from the start gives, bit for bit, so a text is the same with the cache and without.

Shared by the lanes of an engine, which lets one of them in at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from service.rows.arrays import Int32, Int64
from service.rows.row import Row

_NODE_BYTES = 600
"""About what a node takes beside its ids and its row."""


@dataclass(eq=False, slots=True)
class _Node:
    """A place in the tree: the ids on the way from its parent, and the row, if it is kept."""

    ids: Int32
    parent: _Node | None
    children: dict[int, _Node] = field(default_factory=dict)
    row: Row | None = None

    @property
    def num_bytes(self) -> int:
        return _NODE_BYTES + self.ids.nbytes + (self.row.num_bytes if self.row else 0)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a prompt.

    Attributes:
        row: Of its longest beginning that is kept; None if there is none.
        num_read: How many tokens that beginning has.
        num_shared: How many it has in common with some other prompt. The row at this place is worth
            keeping: here prompts branch.
    """

    row: Row | None
    num_read: int
    num_shared: int


class PrefixCache:
    """The least recently used rows go when they are too many.

    Args:
        max_bytes: Memory for all of it, about; 0 keeps nothing.
        min_tokens: Shorter beginnings are not worth keeping.
    """

    def __init__(self, max_bytes: int, min_tokens: int = 16) -> None:
        self.min_tokens = min_tokens
        self.num_bytes = 0
        self._max_bytes = max_bytes
        self._roots: dict[str, _Node] = {}
        # The nodes that have a row, with their salts, the least recently used first.
        self._recent: OrderedDict[_Node, str] = OrderedDict()

    @property
    def keeps(self) -> bool:
        """Whether it keeps anything at all."""
        return self._max_bytes > 0

    @property
    def num_rows(self) -> int:
        """How many rows it keeps."""
        return len(self._recent)

    def find(self, salt: str, id_T: Int64) -> Found:
        """The longest beginning of `id_T` that is kept under `salt`."""
        root = self._roots.get(salt)
        if root is None:
            return Found(None, 0, 0)
        passed, _, num_shared = _walk(root, id_T)
        for node, depth in reversed(passed):
            if node.row is not None:
                self._recent.move_to_end(node)
                return Found(node.row, depth, num_shared)
        return Found(None, 0, num_shared)

    def put(self, salt: str, id_T: Int64, row: Row) -> None:
        """Keep the row of the text `id_T`, if that is long enough."""
        if len(id_T) < self.min_tokens or not self.keeps:
            return
        node = self._place(self._roots.setdefault(salt, _Node(np.empty(0, np.int32), None)), id_T)
        if node.row is None:
            self.num_bytes += row.num_bytes
            node.row = row
        self._recent[node] = salt
        self._recent.move_to_end(node)
        while self.num_bytes > self._max_bytes:
            self._drop(*self._recent.popitem(last=False))

    def _place(self, root: _Node, id_T: Int64) -> _Node:
        """The node at the end of `id_T`, made if need be."""
        passed, child, depth = _walk(root, id_T)
        node, start = passed[-1] if passed else (root, 0)
        if child is not None:
            node = self._split(node, child, depth - start)
        if depth < len(id_T):
            node = self._attach(node, id_T[depth:].astype(np.int32))
        return node

    def _split(self, node: _Node, child: _Node, num_ids: int) -> _Node:
        """A new node between `node` and its child, after `num_ids` of the child's ids."""
        middle = self._attach(node, child.ids[:num_ids].copy())
        child.ids, child.parent = child.ids[num_ids:].copy(), middle
        middle.children[int(child.ids[0])] = child
        self.num_bytes -= middle.ids.nbytes  # they were the child's before
        return middle

    def _attach(self, parent: _Node, ids: Int32) -> _Node:
        node = parent.children[int(ids[0])] = _Node(ids, parent)
        self.num_bytes += node.num_bytes
        return node

    def _drop(self, node: _Node, salt: str) -> None:
        """Forget the row of a node, and every node that has become pointless."""
        if node.row is not None:
            self.num_bytes -= node.row.num_bytes
            node.row = None
        while node.row is None and node.parent is not None and len(node.children) < 2:
            parent, first = node.parent, int(node.ids[0])
            self.num_bytes -= _NODE_BYTES
            if not node.children:
                self.num_bytes -= node.ids.nbytes
                del parent.children[first]
                node = parent
                continue
            [child] = node.children.values()
            child.ids, child.parent = np.concatenate([node.ids, child.ids]), parent
            parent.children[first] = child
            break
        if not self._roots[salt].children:
            del self._roots[salt]


def _walk(root: _Node, id_T: Int64) -> tuple[list[tuple[_Node, int]], _Node | None, int]:
    """Follow `id_T` through the tree.

    Returns:
        The nodes that were reached, each with its depth; the child on whose way the ids part from
        the tree, if that is not at a node; and the depth where they part.
    """
    node, depth = root, 0
    passed: list[tuple[_Node, int]] = []
    while depth < len(id_T) and (child := node.children.get(int(id_T[depth]))) is not None:
        size = min(len(child.ids), len(id_T) - depth)
        differs = child.ids[:size] != id_T[depth : depth + size]
        num_same = int(differs.argmax()) if differs.any() else size
        depth += num_same
        if num_same < len(child.ids):
            return passed, child, depth
        node = child
        passed.append((node, depth))
    return passed, None, depth
