"""What the leakage rules know of a program, and what their diagnostics have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from astrafs.diagnostics.model import Diagnostic
from astrafs.leakage.reads import RestrictedColumns, Use, short
from astrafs.leakage.scenario import example
from astrafs.leakage.timeline import Story, draw
from astrafs.leakage.values import Scene
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.temporal.footprint import Footprints, Reading
from astrafs.temporal.rows import RowTimes


@dataclass(slots=True)
class Facts:
    """What the rules know of a program. ``footprints`` is None where features form a cycle.

    ``pictures`` more are drawn: whoever has a thousand leaks does not read as many timelines.
    """

    program: Program
    times: dict[str, tuple[RowTimes, ...]]
    restricted: RestrictedColumns
    footprints: Footprints | None
    pictures: int = 100
    labels: dict[ir.FeatureId, ir.Feature] = field(init=False)

    def __post_init__(self) -> None:
        features = self.program.plan.features
        self.labels = {feature.id: feature for feature in features if feature.label}

    def is_label(self, use: Use) -> bool:
        """Whether a window or lookup stands in a label, which may wait for what it reads."""
        return use.feature in self.labels

    def draw(self, found: Diagnostic, story: Callable[[], Story]) -> Diagnostic:
        """Add the picture of ``story``, which is made only if there are pictures left."""
        if self.pictures <= 0:
            return found
        self.pictures -= 1
        told = story()
        block = None
        if told.scenario is not None:
            block = example(found.title, told.scenario, self.program.plan)
        return found.draw(draw(told), block)


def window_times(facts: Facts, use: Use) -> tuple[RowTimes, ...]:
    """Return the times of the rows that an aggregate is over: one entry per source below them."""
    return facts.times.get(use.expr.rows, ()) if isinstance(use.expr, ir.Aggregate) else ()


def scene(facts: Facts, expr: ir.Aggregate, times: RowTimes) -> Scene:
    """Return what a counterexample is about."""
    return Scene(facts.program.plan, expr, times)


def told(found: Diagnostic, use: Use, via: list[str], times: RowTimes) -> Diagnostic:
    """Add the path of the leak from the feature to the source, and the expansion of a template."""
    middle = [] if len(via) > 1 else [short(name) for name in times.chain[:-1]]
    path = " <- ".join(f"`{name}`" for name in (use.owner, *middle, *via))
    return expanded(found.note(f"path of the leak: {path}"), use)


def path_note(facts: Facts, use: Use, reading: Reading) -> str:
    """Return the path of a reading from the feature to the source."""
    names = [
        short(name) if name in facts.times else ".".join(name.split(".")[-2:])
        for name in reading.via
    ]
    if len(names) > 8:
        names = [*names[:4], "...", *names[-3:]]
    return "path: " + " <- ".join(f"`{n}`" for n in (use.owner, *names, short(reading.source)))


def expanded(found: Diagnostic, use: Use) -> Diagnostic:
    """Add which expansion of a template it is about."""
    return found.note(f"in the expansion {use.expansion}") if use.expansion else found


def column_label(
    facts: Facts, found: Diagnostic, times: RowTimes, column: str, text: str
) -> Diagnostic:
    """Add a label where a source declares ``column``."""
    written = facts.program.sources.get(times.source.name)
    span = written.columns.get(column) if written is not None else None
    return found.label(span, text) if span is not None else found


def clause_label(
    facts: Facts, found: Diagnostic, times: RowTimes, clause: str, text: str
) -> Diagnostic:
    """Add a label at a clause of a source, such as its ``delay``."""
    written = facts.program.sources.get(times.source.name)
    span = written.clauses.get(clause) if written is not None else None
    return found.label(span, text) if span is not None else found


def source_label(facts: Facts, found: Diagnostic, times: RowTimes, text: str) -> Diagnostic:
    """Add a label at the name of a source."""
    written = facts.program.sources.get(times.source.name)
    return found.label(written.name, text) if written is not None else found
