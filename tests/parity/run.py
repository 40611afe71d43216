"""Run any number of generated programs: ``python -m tests.parity.run --programs N --seed S``.

Prints programs, questions, values compared, differing bits, seconds and how often each construct
occurred; on a
difference, the seed and the smallest program that shows it. Exits with 1 if anything differed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.parity.generator import generate
from tests.parity.harness import Report, check, explain


@dataclass
class Totals:
    """Sums over the programs so far."""

    programs: int = 0
    failures: int = 0
    early: int = 0
    views: int = 0
    questions: int = 0
    values: int = 0
    runs: int = 0
    bits: int = 0
    tags: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Count one program."""
        self.programs += 1
        self.failures += report.stopped
        self.early += report.early
        self.views += report.views
        self.questions += report.questions
        self.values += report.values
        self.runs += report.runs
        self.bits += report.bits
        self.tags.update(report.tags)


def main() -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--programs", "-n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--stop", action="store_true", help="stop at the first difference")
    parser.add_argument("--quick", action="store_true", help="one run per view, no shrinking")
    parser.add_argument("--only", default="", help="skip programs without this construct or text")
    parser.add_argument("--coverage", action="store_true", help="print the count of each construct")
    asked = parser.parse_args()
    began = time.perf_counter()
    totals, wrong = Totals(), 0
    seeds = range(asked.seed, asked.seed + asked.programs)
    for report in _reports(_chosen(seeds, asked.only), asked.jobs, quick=asked.quick):
        totals.add(report)
        if report.differences:
            wrong += 1
            text = report.text() if asked.quick else explain(report)
            _say(f"--- seed {report.seed} ---\n{text}\n")
            if asked.stop:
                break
    seconds = time.perf_counter() - began
    _say(
        f"programs {totals.programs}  views {totals.views}  questions {totals.questions}  "
        f"engine runs {totals.runs}  values compared {totals.values}  "
        f"stopped alike {totals.failures}  stopped early {totals.early}  "
        f"programs that differ {wrong}  differing bits {totals.bits}  seconds {seconds:.1f}"
    )
    if asked.coverage:
        for tag, count in sorted(totals.tags.items()):
            _say(f"  {count:6} {tag}")
    return 1 if wrong else 0


def _chosen(seeds: range, only: str) -> Iterable[int]:
    for seed in seeds:
        if not only:
            yield seed
            continue
        case = generate(seed)
        if only in case.tags or (only.startswith("~") and only[1:] in case.text()):
            yield seed


def _reports(seeds: Iterable[int], jobs: int, *, quick: bool) -> Iterator[Report]:
    if jobs <= 1:
        for seed in seeds:
            yield check(seed, quick=quick)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_quick if quick else check, seeds, chunksize=10)


def _quick(seed: int) -> Report:
    return check(seed, quick=True)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
