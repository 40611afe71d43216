"""Collecting steps: fresh relation names, comments, and when a relation is no longer needed."""

from __future__ import annotations

from dataclasses import field

from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.physical import Group
from astrafs.backends.duckdb.script import Check, Engine, Step, Sweep, SweptCall
from astrafs.plan import ir
from astrafs.record import dataclass


@dataclass(slots=True)
class Builder:
    """The script under construction, with the plan's declarations by name."""

    plan: ir.Plan
    engine: Engine = "sql"
    sources: dict[str, ir.Source] = field(init=False)
    streams: dict[str, ir.Stream] = field(init=False)
    unions: dict[str, ir.Union] = field(init=False)
    entities: dict[str, ir.Entity] = field(init=False)
    features: dict[ir.FeatureId, ir.Feature] = field(init=False)
    steps: list[Step | Sweep] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    inputs: dict[str, set[str]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    """Relations that are built once and shared: streams, table versions."""
    asked: dict[str, set[str]] = field(default_factory=dict)
    """Columns of rows that the script itself wants: those of a dataset's spine."""
    readers: dict[ir.Aggregate, list[str]] = field(default_factory=dict)
    """Which features use an aggregate, for the comments of the script."""
    groups: list[Group] = field(default_factory=list)
    """How windows are evaluated."""
    _names: int = 0
    _columns: int = 0

    def __post_init__(self) -> None:
        self.sources = {source.name: source for source in self.plan.sources}
        self.streams = {stream.name: stream for stream in self.plan.streams}
        self.unions = {union.name: union for union in self.plan.unions}
        self.entities = {entity.name: entity for entity in self.plan.entities}
        self.features = {feature.id: feature for feature in self.plan.features}

    def step(self, hint: str, sql: str, comment: str, *, view: bool = False) -> str:
        """Add a step that makes a relation of the rows of ``sql``; return its quoted name. A
        ``view`` is not kept: for what only joins and renames, and is read once.
        """
        self._names += 1
        name = f"{self._names:02d} {hint}"
        kind = "VIEW" if view else "TABLE"
        made = f"CREATE TEMP {kind} {ident(name)} AS\n{sql}"
        self.steps.append(Step(name, made, comment, view))
        return ident(name)

    def sweep(
        self,
        events: str,
        questions: str,
        ties: tuple[str, ...],
        delay: int,
        calls: tuple[SweptCall, ...],
        comment: str,
    ) -> str:
        """Add a step that kernels take; return the quoted name of the relation of its answers."""
        self._names += 1
        name = f"{self._names:02d} sweep"
        self.steps.append(Sweep(name, events, questions, ties, delay, calls, comment))
        return ident(name)

    def fresh(self, prefix: str) -> str:
        """Return a column name that nothing else has."""
        self._columns += 1
        return f"{prefix}{self._columns}"

    def root(self, rows: str) -> ir.Source | ir.Union:
        """Return the source or union that streams stand on."""
        while rows in self.streams:
            rows = self.streams[rows].base
        return self.unions[rows] if rows in self.unions else self.sources[rows]

    def bases(self, rows: str) -> tuple[ir.Source, ...]:
        """Return the sources that rows come from, by their place: the ``"@place"`` of a row of a
        union.
        """
        root = self.root(rows)
        if isinstance(root, ir.Source):
            return (root,)
        return tuple(source for member in root.members for source in self.bases(member))

    def hidden(self, rows: str) -> tuple[str, ...]:
        """Return the columns of a row relation that are no columns of the rows."""
        place = ("@place",) if isinstance(self.root(rows), ir.Union) else ()
        until = ("@until",) if any(source.revisions for source in self.bases(rows)) else ()
        return ("@e", "@k", *place, *until)

    def order(self, rows: str) -> tuple[str, ...]:
        """Return the columns that order rows of one time: the key, and the place in a union."""
        return (*self.root(rows).key, *self.hidden(rows)[2:])

    def need(self, source: str, columns: set[str]) -> str:
        """Ask for ``columns`` of ``source``; return its relation."""
        self.inputs.setdefault(source, set()).update(columns)
        return ident(f"src:{source}")

    def drops(self, *keep: str) -> dict[str, tuple[str, ...]]:
        """Map each step to the relations whose last reader it is, but for those in ``keep``."""
        last: dict[str, str] = {}
        names = [step.name for step in self.steps]
        read: dict[str, set[str]] = {}
        views = {step.name for step in self.steps if isinstance(step, Step) and step.view}
        for step in self.steps:
            body = step.sql.split("\n", 1)[1]
            mine = {name for name in names if ident(name) in body}
            # Who reads a view reads what it stands on.
            read[step.name] = mine.union(*(read[name] for name in mine & views))
            last.update(dict.fromkeys(read[step.name], step.name))
            last.setdefault(step.name, step.name)
        kept = {name for name in names if ident(name) in keep}
        kept = kept.union(*(read[name] for name in kept & views))
        for check in self.checks:
            for name in names:
                if ident(name) in check.sql:
                    last[name] = names[-1]
        found: dict[str, list[str]] = {}
        for name, reader in last.items():
            if name not in kept:
                found.setdefault(reader, []).append(name)
        return {reader: tuple(sorted(gone)) for reader, gone in found.items()}
