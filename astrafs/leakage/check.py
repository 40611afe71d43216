"""The leakage pass: runs every rule over every window, lookup and source of a program."""

from __future__ import annotations

from astrafs.diagnostics.model import Sink
from astrafs.leakage import rules
from astrafs.leakage.reads import RestrictedColumns, uses
from astrafs.plan.errors import PlanError
from astrafs.plan.program import Program
from astrafs.temporal.footprint import Footprints
from astrafs.temporal.rows import row_times

_USE_RULES = (
    rules.future_window,
    rules.unsettled_column,
    rules.unknown_column,
    rules.restricted_table_column,
    rules.spine_at_t,
    rules.never_sees,
    rules.beyond_retention,
)


def check_leakage(program: Program, sink: Sink) -> None:
    """Report every way in which a feature would know more in training than when serving.

    Silent about what earlier passes already found wrong.
    """
    facts = rules.Facts(
        program, row_times(program.plan), RestrictedColumns(program), _footprints(program)
    )
    for source in program.plan.sources:
        sink.extend(rules.timeless_source(facts, source))
    for use in uses(program):
        for rule in _USE_RULES:
            sink.extend(rule(facts, use))


def _footprints(program: Program) -> Footprints | None:
    """Return the footprints; None where names are missing or form a cycle, which was reported."""
    try:
        return Footprints(program.plan)
    except (PlanError, KeyError):
        return None
