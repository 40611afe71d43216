"""Two versions of a feature computed on a sample of a project's real data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from astrafs.backends.duckdb.compile import NoKnownKeysError, compile_known_keys, compile_view
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Script
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.text import timestamp_text
from astrafs.plan.values import value_text
from astrafs.record import dataclass
from astrafs.runtime.answer import Place, Run, loaded, source_files
from astrafs.runtime.request import Request
from astrafs.runtime.scripts import all_rows, together
from astrafs.runtime.zones import MAX_TIME

QUESTIONS = 2_000
"""At most so many keys and times are asked about."""

MOST_BYTES = 64 << 20
"""Files of more bytes in all are not read for a trial."""

_TIMES = 8
_VIEW = "@trial"
_DOING = "choosing questions"


@dataclass(frozen=True, slots=True)
class Trial:
    """What both versions gave: ``different`` of ``questions`` answers differ, ``example`` is one.

    ``obstacle`` says why they could not be tried.
    """

    questions: int = 0
    different: int = 0
    example: str = ""
    obstacle: str = ""

    def __str__(self) -> str:
        if self.obstacle:
            return f"not tried on the project's data: {self.obstacle}"
        asked = f"{self.questions:,} questions of the project's data"
        if not self.different:
            return f"equal on {asked}, which is no proof"
        return f"{self.different:,} of {asked} differ: {self.example}"


def try_out(program: Program, place: Place, before: ir.FeatureId, after: ir.FeatureId) -> Trial:
    """Compute two features of one entity on rows that the project's files hold.

    Raises :class:`AstrafsError` for files that are not there or break a contract.
    """
    known = {feature.id: feature for feature in program.plan.features}
    old, new = known[before], known[after]
    if old.expression.type.plain() != new.expression.type.plain():
        return Trial(obstacle="the type is another one")
    entity = next(one for one in program.plan.entities if one.name == after.entity)
    if entity.request:
        return Trial(obstacle="nothing says what requests there were")
    outputs = tuple(
        ir.Output(name, ir.FeatureRef(one.id, one.expression.type), one.type)
        for name, one in (("before", old), ("after", new))
    )
    view = ir.View(_VIEW, entity.name, outputs)
    program = replace(program, plan=replace(program.plan, views=(view,)))
    try:
        asked = compile_known_keys(program.plan, _VIEW)
    except NoKnownKeysError:
        return Trial(obstacle="no source that it reads holds keys of the entity")
    script = compile_view(program.plan, _VIEW)
    whole = together(asked, script)
    size = sum(file.size for name in whole.inputs for file in source_files(program, place, name)[1])
    if size > MOST_BYTES:
        shown = f"{size >> 20:,} MB of files, more than {MOST_BYTES >> 20}"
        return Trial(obstacle=f"it reads {shown}")
    request = Request(_VIEW, None)
    with loaded(program, place, whole, MAX_TIME, request) as run:
        _ask(run, entity, asked, program.plan)
        run.execute(script)
        return _compared(run, entity, script, old.type, new.type)


def _ask(run: Run, entity: ir.Entity, asked: Script, plan: ir.Plan) -> None:
    """Make the spine: some keys at the times of some rows, and one microsecond later."""
    timed = [one.name for one in plan.sources if one.time and one.name in run.readers]
    events = " UNION ALL ".join(f'SELECT "@e" FROM {run.readers[name].relation}' for name in timed)
    run.session.run(
        f'CREATE TEMP TABLE "grid_times" AS SELECT DISTINCT "@e" + unnest([0, 1]) AS "@t" FROM'
        f' (SELECT DISTINCT "@e" FROM ({events}) ORDER BY hash("@e"), "@e" LIMIT {_TIMES})',
        _DOING,
    )
    left = run.execute(asked)
    names = ", ".join([*(ident(field.name) for field in entity.keys), '"@t"'])
    run.session.run(
        f'CREATE TEMP TABLE "spine" AS SELECT row_number() OVER () - 1 AS "@row", {names} FROM'
        f" (SELECT {names} FROM {ident(asked.result)} ORDER BY hash({names}), {names}"
        f" LIMIT {QUESTIONS})",
        _DOING,
    )
    for name in left:
        run.session.run(f"DROP TABLE {ident(name)}", "freeing memory")


def _compared(run: Run, entity: ir.Entity, script: Script, before: Any, after: Any) -> Trial:
    doing = "comparing the answers"
    differ = 'r."before" IS DISTINCT FROM r."after"'
    both = f'{ident(script.result)} r JOIN "spine" s USING ("@row")'
    query = f"SELECT count(*), count(*) FILTER (WHERE {differ}) FROM {both}"
    questions, different = run.session.rows(query, doing)[0]
    if not different:
        return Trial(questions)
    keys = "".join(f", s.{ident(field.name)}" for field in entity.keys)
    query = (
        f'SELECT r."before", r."after", s."@t"{keys} FROM {both} WHERE {differ}'
        f' ORDER BY "@row" LIMIT 1'
    )
    was, now, t, *values = all_rows(run.session, query)[0]
    key = ", ".join(
        value_text(value, field.type) for value, field in zip(values, entity.keys, strict=True)
    )
    example = (
        f"{value_text(was, before)} became {value_text(now, after)}"
        f" for key {key or 'none'} at {timestamp_text(t)}"
    )
    return Trial(questions, different, example)
