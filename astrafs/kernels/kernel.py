"""What a kernel is: a vectorised function with the SQL types that the session registers it
under.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function of Arrow columns.

    ``params`` and ``result`` are DuckDB type names. ``run`` takes one ``ChunkedArray`` per
    parameter (HUGEINT comes as ``decimal128(38, 0)``), nulls included, and returns an array of the
    same length; it decides itself what a null gives.
    """

    params: tuple[str, ...]
    result: str
    run: Callable[..., pa.Array]
