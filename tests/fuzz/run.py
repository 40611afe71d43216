"""Feed the compiler any number of damaged projects: ``python -m tests.fuzz.run --inputs N``.

Every input is compiled whole, and the diagnostics of some are drawn in every form. An exception, a
diagnostic or fix outside its file, or more time or memory than allowed is a failure; each is
printed with its seed. Exits with 1 if there was one.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from astrafs.diagnostics.model import Diagnostic, Label, Sink
from astrafs.diagnostics.render import concise, github, sarif
from astrafs.diagnostics.render import json as json_form
from astrafs.diagnostics.render.text import render
from astrafs.driver import compile_project
from astrafs.source import SourceFile, Span
from astrafs.syntax.characters import decode
from tests.fuzz.inputs import Project, make, shown

SECONDS = 5.0
"""For one input, also where it is at a limit of the language, such as 10,000 features."""
MEGABYTES = 400
"""How much more memory a process may take for any input than before the first."""
DRAWN = 8
"""The diagnostics of one input in so many are drawn."""
BLOCK = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input did: the codes it got, its seconds, and what went wrong (empty: nothing)."""

    seed: int
    codes: tuple[str, ...]
    seconds: float
    failure: str


class TooLong(BaseException):
    """The time for one input is over. Nothing that catches exceptions catches this one."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise ``TooLong`` in the code within after ``seconds`` of this process's own work."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attempt(seed: int) -> Outcome:
    """Compile the input of ``seed`` and, for some, draw its diagnostics."""
    project = make(seed)
    memory = most_memory()
    sink = Sink()
    began = time.process_time()
    failure = ""
    try:
        with limited(SECONDS):
            failure = problem(project, sink, draw=seed % DRAWN == 0)
    except TooLong:
        failure = f"took more than {SECONDS:.0f} s\n{traceback.format_exc()}"
    except Exception:  # noqa: BLE001 - that is what is looked for
        failure = traceback.format_exc()
    seconds = time.process_time() - began
    taken = most_memory() - memory
    if not failure and taken > MEGABYTES:
        failure = f"took {taken} MB"
    return Outcome(seed, tuple(one.code.id for one in sink), seconds, failure)


def problem(project: Project, sink: Sink, *, draw: bool) -> str:
    """Compile ``project`` and say what is wrong with its diagnostics."""
    read = [decode(path, data, sink) for path, data in project]
    files = {file.path: file for file in read if file is not None}
    compile_project(list(files.values()), sink)
    found = list(sink)
    if draw:
        render(found, files, width=80, colour=True)
        for form in (concise, github, json_form, sarif):
            form.render(found, files)
    return next((text for one in found if (text := misplaced(one, files))), "")


def misplaced(found: Diagnostic, files: dict[str, SourceFile]) -> str:
    """Say whether the diagnostic or a fix of it lies outside its file, or is empty of words."""
    labels: list[Label] = (
        [*found.labels] if found.primary is None else [found.primary, *found.labels]
    )
    spans: list[Span] = [label.span for label in labels]
    spans += [edit.span for fix in found.fixes for edit in fix.edits]
    for span in spans:
        file = files.get(span.path)
        if file is None or not 0 <= span.start <= span.end <= len(file.text):
            return f"{found.code.id} lies at {span}"
    return "" if found.title.strip() else f"{found.code.id} has no title"


def most_memory() -> int:
    """Return the most memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def block(seeds: range) -> list[Outcome]:
    """Attempt several inputs."""
    return [attempt(seed) for seed in seeds]


def main() -> int:
    """Run the inputs and print a summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--inputs", "-n", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    end = given.seed + given.inputs
    blocks = [range(at, min(at + BLOCK, end)) for at in range(given.seed, end, BLOCK)]
    began = told = time.perf_counter()
    codes: Counter[str] = Counter()
    slowest = Outcome(given.seed, (), 0.0, "")
    done = clean = failures = 0
    with ProcessPoolExecutor(given.jobs) as pool:
        for outcomes in pool.map(block, blocks):
            for one in outcomes:
                done += 1
                clean += not one.codes
                codes.update(set(one.codes))
                slowest = max(slowest, one, key=lambda outcome: outcome.seconds)
                if one.failure:
                    failures += 1
                    if failures <= 10:
                        text = shown(make(one.seed))
                        sys.stdout.write(f"--- seed {one.seed}\n{one.failure}\n{text}\n")
            if time.perf_counter() - told > 30:
                told = time.perf_counter()
                rate = done / (told - began)
                sys.stderr.write(f"{done:,} inputs, {rate:.0f} a second, {failures} failures\n")
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{done:,} inputs in {seconds:.0f} s ({done / seconds:.0f} a second): {clean:,} compile, "
        f"{len(codes)} different codes, slowest {slowest.seconds:.2f} s (seed {slowest.seed}), "
        f"{failures} failures\n"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
