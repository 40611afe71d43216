"""Feed the compiler any number of damaged programs: ``python -m tests.fuzz.run --inputs N``.

Every input is compiled, and its diagnostics are drawn in every form. An exception, a diagnostic
outside its file, or more than the seconds allowed is a failure; each is printed with its seed.
Exits with 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from astrafs.diagnostics.model import Diagnostic, Label, Sink
from astrafs.diagnostics.render import concise, github, sarif
from astrafs.diagnostics.render import json as json_form
from astrafs.diagnostics.render.text import render
from astrafs.driver import compile_project
from astrafs.source import SourceFile
from tests.fuzz.inputs import make

SECONDS = 30.0
"""For one input. Programs at a limit of the language, such as 10,000 features, take a few."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input did: the codes it got, its seconds, and what went wrong (empty: nothing)."""

    seed: int
    codes: tuple[str, ...]
    seconds: float
    failure: str


def attempt(seed: int) -> Outcome:
    """Compile the input of ``seed`` and draw its diagnostics."""
    file = SourceFile("fuzz.afs", make(seed))
    files = {file.path: file}
    sink = Sink()
    began = time.perf_counter()
    failure = ""
    found: list[Diagnostic] = []
    try:
        compile_project([file], sink)
        found = list(sink)
        seconds = time.perf_counter() - began
        failure = misplaced(found, file)
        render(found, files, width=80, colour=True)
        for form in (concise, github, json_form, sarif):
            form.render(found, files)
    except Exception:  # noqa: BLE001 - that is what is looked for
        seconds = time.perf_counter() - began
        failure = traceback.format_exc()
    if not failure and seconds > SECONDS:
        failure = f"took {seconds:.1f} s"
    return Outcome(seed, tuple(one.code.id for one in found), seconds, failure)


def misplaced(found: list[Diagnostic], file: SourceFile) -> str:
    """Say which diagnostic lies outside the file, or is empty of words."""
    for one in found:
        labels: list[Label] = [*one.labels] if one.primary is None else [one.primary, *one.labels]
        for label in labels:
            span = label.span
            if span.path != file.path or not 0 <= span.start <= span.end <= len(file.text):
                return f"{one.code.id} lies at {span}"
        if not one.title.strip():
            return f"{one.code.id} has no title"
    return ""


def main() -> int:
    """Run the inputs and print a summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--inputs", "-n", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.inputs)
    began = time.perf_counter()
    with ProcessPoolExecutor(given.jobs) as pool:
        outcomes = list(pool.map(attempt, seeds, chunksize=50))
    codes = Counter(code for one in outcomes for code in set(one.codes))
    failures = [one for one in outcomes if one.failure]
    for one in failures[:10]:
        sys.stdout.write(f"--- seed {one.seed}\n{one.failure}\n{make(one.seed)}\n")
    slowest = max(outcomes, key=lambda one: one.seconds)
    clean = sum(not one.codes for one in outcomes)
    sys.stdout.write(
        f"{len(outcomes):,} inputs in {time.perf_counter() - began:.1f} s: {clean:,} compile, "
        f"{len(codes)} different codes, slowest {slowest.seconds:.2f} s (seed {slowest.seed}), "
        f"{len(failures)} failures\n"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
