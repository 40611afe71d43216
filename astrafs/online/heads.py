"""The head of a key's blocks: which there are, of which times, and how often each was written."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.record import dataclass

_VERSION = 2
_START = struct.Struct("<BQ")
_BLOCK = struct.Struct("<HIIQqqq")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: the way of its rows (0 where they are columns), its number, its rows, the head's
    ``stamp`` when it was written, the events of its first and last row, and when all are known.
    """

    way: int
    number: int
    rows: int
    stamp: int
    first: int
    last: int
    known: int


@dataclass(frozen=True, slots=True)
class Head:
    """The blocks of one key, those of columns in the order of their rows. ``stamp`` changes with
    every write, and is no other head's of the same place.
    """

    stamp: int
    blocks: tuple[Block, ...]

    @classmethod
    def read(cls, data: bytes | None) -> Head:
        """Return what :meth:`data` gave; without any a new head."""
        if data is None:
            # Not to be taken for one that was here before: caches tell heads by their bytes.
            return cls(int.from_bytes(os.urandom(6)) << 8, ())
        try:
            version, stamp = _START.unpack_from(data)
            if version != _VERSION:
                raise AstrafsError(
                    codes.NEWER_STORE.nowhere(
                        f"state of format {version}; this version reads {_VERSION}"
                    )
                )
            return cls(stamp, tuple(Block(*one) for one in _BLOCK.iter_unpack(data[_START.size :])))
        except struct.error:
            raise AstrafsError(
                codes.STORE_FAILED.nowhere("state in the store is damaged")
            ) from None

    def data(self) -> bytes:
        """Return the head as bytes."""
        parts = [
            _BLOCK.pack(one.way, one.number, one.rows, one.stamp, one.first, one.last, one.known)
            for one in self.blocks
        ]
        return _START.pack(_VERSION, self.stamp) + b"".join(parts)

    @property
    def free(self) -> int:
        """The number of the next new block."""
        return 1 + max((one.number for one in self.blocks), default=-1)

    def replaced(self, blocks: Sequence[Block]) -> Head:
        """Return the next head, with other blocks."""
        return Head(self.stamp + 1, tuple(blocks))


def head_size(blocks: int) -> int:
    """Return the bytes of a head with so many blocks."""
    return _START.size + blocks * _BLOCK.size
