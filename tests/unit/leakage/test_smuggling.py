"""Many ways to bring the future into a feature, each refused, and sound look-alikes, each accepted.

``smuggled.txt`` begins with declarations for all; every case is what follows them, under a line
with its name and the codes that are reported, or ``clean``. The warning AFS0509 is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from astrafs.diagnostics.codes.leakage import MOMENT_READ_EARLY
from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile
from astrafs.temporal.footprint import footprints

HEAD, *PARTS = re.split(
    r"^=== (.*) \| (.*)\n", Path(__file__).with_name("smuggled.txt").read_text("utf-8"), flags=re.M
)
CASES = list(zip(PARTS[0::3], PARTS[1::3], PARTS[2::3], strict=True))


def test_there_are_enough_cases() -> None:
    clean = sum(codes == "clean" for _, codes, _ in CASES)
    assert clean >= 40
    assert len(CASES) - clean >= 40


@pytest.mark.parametrize(("codes", "text"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_what_is_reported(codes: str, text: str) -> None:
    sink = Sink()
    program = compile_project((SourceFile("case.afs", HEAD + text),), sink)
    found = [one.code.id for one in sink if one.code is not MOMENT_READ_EARLY]
    assert (" ".join(found) or "clean") == codes
    if codes == "clean":
        assert program is not None
        readings = [r for one in footprints(program.plan).values() for r in one.readings]
        assert not any(reading.leaks for reading in readings)
