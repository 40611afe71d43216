"""A process that ingests until it is killed or refused: ``python -m tests.crash.child PLACE SERIES
FIRST [BYTES]``.

A line goes to standard output for each batch that the store has acknowledged. With ``BYTES``, no
file may grow beyond that: the disk is full.
"""

from __future__ import annotations

import os
import resource
import sys

from astrafs.diagnostics.model import AstrafsError
from astrafs.online.stores import open_store
from tests.crash.feed import Served, batch

REFUSED = 3
"""The exit code where the store refuses; the code of the diagnostic goes to standard output."""


def main(place: str, series: int, first: int) -> int:
    """Ingest the batches of ``series`` from number ``first`` on."""
    served = Served(open_store(place))
    number = first
    try:
        while True:
            given = batch(series, number)
            done = served.ingest(given)
            assert not done.refused, done.refused
            os.write(1, b"%d\n" % number)
            number += 1
    except AstrafsError as error:
        os.write(1, error.diagnostics[0].code.id.encode() + b"\n")
        return REFUSED


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    if len(numbers) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(numbers[2]), resource.RLIM_INFINITY))
    sys.exit(main(place, int(numbers[0]), int(numbers[1])))
