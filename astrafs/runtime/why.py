"""One value of one feature explained on a project's real data: by DuckDB, by the reference, and row
by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from astrafs.backends.duckdb.compile import compile_view
from astrafs.backends.duckdb.names import ident
from astrafs.deep import deeper
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.registry import KERNELS
from astrafs.plan import ir
from astrafs.plan.contracts import expects_written
from astrafs.plan.probe import PROBE
from astrafs.plan.program import Program
from astrafs.plan.prune import prune
from astrafs.record import dataclass
from astrafs.reference.interpreter import Key
from astrafs.reference.trace import Step, Tracer
from astrafs.runtime.answer import Place, source_files
from astrafs.runtime.keyed import ALL_ROWS, KeyedInterpreter
from astrafs.runtime.scripts import ScriptRunner, all_rows
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader
from astrafs.runtime.zones import MAX_TIME
from astrafs.values.bits import same_bits


@dataclass(frozen=True, slots=True)
class Explanation:
    """A value and how it came about; ``value`` is DuckDB's, ``agree`` whether the reference has the
    same bits.
    """

    step: Step
    value: Any
    agree: bool


def explain_value(
    program: Program,
    place: Place,
    feature: ir.FeatureId,
    keys: Key,
    t: int,
    as_of: int,
    most: int = 10,
) -> Explanation:
    """Explain ``feature`` for the key columns ``keys`` at ``t`` (microseconds), knowing what was
    known at ``as_of``; at most ``most`` rows are listed on either side of a window.

    Raises :class:`AstrafsError` for data that cannot be read or breaks a contract.
    """
    plan = prune(program.plan, features=[feature])
    files = {source.name: source_files(program, place, source.name) for source in plan.sources}
    paths = [file.path for _, found in files.values() for file in found]
    with Session(paths) as session:
        runner = ScriptRunner(session, program)
        runner.session.prepare(KERNELS)
        for narrow in plan.sources:
            _load(session, program, narrow, files[narrow.name], as_of)
        value = _by_duckdb(runner, plan, feature, keys, t)
        machine = KeyedInterpreter(plan, session, as_of, most)
        tracer = Tracer(plan, machine, as_of, most, machine.scoped)
        with deeper():
            step = tracer.feature(feature, keys, t)
        return Explanation(step, value, not step.problem and same_bits(step.value, value))


def _load(
    session: Session,
    program: Program,
    narrow: ir.Source,
    files: tuple[str, tuple[Any, ...]],
    as_of: int,
) -> None:
    """Read a source whole, as ``all:NAME``, and what is known at ``as_of`` as ``src:NAME``.

    Rows that become known later break no contract of this run: where they would, they stay out.
    """
    source = next(one for one in program.plan.sources if one.name == narrow.name)
    needed = [column.name for column in narrow.columns]

    def read(cutoff: int) -> None:
        session.set_as_of(cutoff)
        SourceReader(
            session,
            source,
            *files,
            None,
            expects_written(program, source.name),
            program.sources.get(source.name),
        ).load(needed)

    relation = ident(f"src:{source.name}")
    try:
        read(MAX_TIME)
    except AstrafsError:
        session.run(f"DROP TABLE IF EXISTS {relation}", "starting again")
        read(as_of)
    whole = ident(ALL_ROWS + source.name)
    session.set_as_of(as_of)
    session.run(f"ALTER TABLE {relation} RENAME TO {whole}", "reading sources")
    known = f' WHERE "@k" <= {as_of}' if source.time else ""
    session.run(f"CREATE TEMP VIEW {relation} AS SELECT * FROM {whole}{known}", "reading sources")


def _by_duckdb(
    runner: ScriptRunner, plan: ir.Plan, feature: ir.FeatureId, keys: Key, t: int
) -> Any:
    declared = next(one for one in plan.features if one.id == feature)
    entity = next(one for one in plan.entities if one.name == feature.entity)
    read = ir.FeatureRef(feature, declared.expression.type)
    view = ir.View(PROBE, entity.name, (ir.Output("value", read, declared.type),))
    script = compile_view(replace(plan, views=(view,)), PROBE)
    columns: Mapping[str, pa.Array] = {
        "@row": pa.array([0], pa.int64()),
        "@t": pa.array([t], pa.int64()),
        **{
            field.name: pa.array([key], engine_type(field.type))
            for field, key in zip(entity.keys, keys, strict=True)
        },
    }
    runner.session.register("spine", pa.table(dict(columns)))
    runner.run(script)
    query = f"SELECT {ident('value')} FROM {ident(script.result)}"
    ((value,),) = all_rows(runner.session, query)
    return value
