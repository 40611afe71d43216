"""The leakage pass: runs every rule over every window, lookup and source of a program."""

from __future__ import annotations

from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.leakage import future, labels, reach, restricted
from astrafs.leakage.datasets import check_datasets
from astrafs.leakage.facts import Facts
from astrafs.leakage.reads import RestrictedColumns, uses
from astrafs.plan.errors import PlanError
from astrafs.plan.program import Program
from astrafs.source import Span
from astrafs.temporal.footprint import Footprints
from astrafs.temporal.rows import row_times

_USE_RULES = (
    future.future_window,
    restricted.unsettled_column,
    restricted.unknown_column,
    restricted.restricted_table_column,
    reach.never_sees,
    reach.beyond_retention,
)
_SHOWN = 4


def check_leakage(program: Program, sink: Sink) -> Footprints | None:
    """Report every way in which a feature would know more in training than when serving.

    Returns the footprints; None where they cannot be worked out, which was reported.

    Silent about what earlier passes already found wrong. Rule 7 is the checker's: there are no such
    functions to resolve.
    """
    facts = Facts(
        program, row_times(program.plan), RestrictedColumns(program), _footprints(program)
    )
    for source in program.plan.sources:
        sink.extend(future.timeless_source(facts, source))
    sink.extend(labels.label_readers(facts))
    found: dict[tuple[str, Span, str], Diagnostic] = {}
    others: dict[tuple[str, Span, str], list[str]] = {}
    for use in uses(program):
        for rule in _USE_RULES:
            for diagnostic in rule(facts, use):
                assert diagnostic.primary is not None
                # A template says the same in each of its expansions: report it once.
                words = diagnostic.title.replace(use.owner, "") if use.expansion else ""
                key = diagnostic.code.id, diagnostic.primary.span, words or diagnostic.title
                if found.setdefault(key, diagnostic) is not diagnostic:
                    others.setdefault(key, []).append(use.expansion)
    for key, diagnostic in found.items():
        sink.emit(_with_others(diagnostic, others.get(key, [])))
    sink.extend(check_datasets(facts))
    return facts.footprints


def _with_others(found: Diagnostic, expansions: list[str]) -> Diagnostic:
    names = [name for name in dict.fromkeys(expansions) if name]
    if not names:
        return found
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return found.note(f"and in the expansions {'; '.join(names[:_SHOWN])}{more}")


def _footprints(program: Program) -> Footprints | None:
    """Return the footprints; None where names are missing or form a cycle, which was reported."""
    try:
        return Footprints(program.plan)
    except (PlanError, KeyError):
        return None
