"""From a plan and the name of a view to a script. The file to read first in this backend.

The session makes the ``src:`` relations and the ``spine``; the script turns the spine into
questions, evaluates the view's outputs for each different question once, and joins them back to
the spine's rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.expressions import row_expression
from astrafs.backends.duckdb.features import evaluate, in_order
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.rows import AS_OF, row_relation
from astrafs.backends.duckdb.script import Engine, Script
from astrafs.deep import deeply
from astrafs.plan import ir
from astrafs.plan.prune import reachable
from astrafs.plan.tree import walk

Mode = Literal["spine", "known_keys", "grid"]

_KERNEL = re.compile(r"\baf_[a-z0-9_]+(?=\()")


class NoKnownKeysError(Exception):
    """The view's entity has no rows of its own in any source, so its keys can only come from a
    spine.
    """


def compile_view(
    plan: ir.Plan,
    view: str,
    *,
    outputs: Sequence[str] | None = None,
    mode: Mode = "spine",
    engine: Engine = "sql",
) -> Script:
    """Compile ``view`` (qualified name), or only its ``outputs``, in the order of the view.

    ``mode`` says where the questions come from: the relation ``spine`` that the session made;
    every key known at the as-of time; or every known key at each time of ``grid_times``. With the
    engine ``auto`` some steps are sweeps, which kernels take, and the script is no SQL. Raises
    KeyError for unknown names and :class:`NoKnownKeysError` where a view needs a spine.
    """
    return deeply(lambda: _compile(plan, view, outputs, mode, engine))


def compile_known_keys(plan: ir.Plan, view: str) -> Script:
    """Compile the questions of ``view`` alone: every known key at each time of ``grid_times``, as
    ``"@row"``, the keys by name and ``"@t"``. Raises :class:`NoKnownKeysError`.
    """

    def compiled() -> Script:
        build = Builder(reachable(plan, view))
        (chosen,) = build.plan.views
        entity = build.entities[chosen.entity]
        wanted = list(as_features(build, entity, chosen).values())
        return finished(build, _known_keys(build, entity, wanted, grid=True))

    return deeply(compiled)


def _compile(
    plan: ir.Plan, view: str, outputs: Sequence[str] | None, mode: Mode, engine: Engine
) -> Script:
    chosen = _chosen(plan, view, outputs)
    pruned = reachable(replace(plan, views=(chosen,)), view)
    build = Builder(pruned, engine)
    entity = build.entities[chosen.entity]
    wanted = as_features(build, entity, chosen)

    if mode == "spine":
        spine = "spine"
    else:
        spine = _known_keys(build, entity, list(wanted.values()), mode == "grid")
    parts = [ident(field.name) for field in entity.keys]
    answers, columns = answered(build, entity, list(wanted.values()), spine, view)
    own = ""
    if mode != "spine":
        own = "".join(f"s.{part} AS {ident(f'@key{place}')}, " for place, part in enumerate(parts))
        own += 's."@t", '
    values = ",\n  ".join(
        f"a.{ident(columns[feature])} AS {ident(name)}" for name, feature in wanted.items()
    )
    result = build.step(
        "result",
        f'SELECT s."@row", {own}\n  {values}\nFROM {spine} s JOIN {answers}',
        f"view {view}: one row per row of the spine",
        view=True,
    )
    return finished(build, result)


def answered(
    build: Builder, entity: ir.Entity, wanted: Sequence[ir.FeatureId], spine: str, view: str
) -> tuple[str, dict[ir.FeatureId, str]]:
    """Evaluate features for the different questions of ``spine``: the answers as SQL to join with
    it (as ``a`` with ``s``), and the column of each feature.
    """
    parts = [ident(field.name) for field in entity.keys]
    listed = "".join(f'{part} AS "@k{place}", ' for place, part in enumerate(parts))
    questions = build.step(
        "questions",
        f'SELECT DISTINCT {listed}"@t"\nFROM {spine}',
        f"view {view}: the different questions of the spine",
    )
    answers, columns = evaluate(build, entity, wanted, questions)
    on = " AND ".join(
        [
            *(f's.{part} IS NOT DISTINCT FROM a."@k{place}"' for place, part in enumerate(parts)),
            's."@t" = a."@t"',
        ]
    )
    return f"{answers} a\nON {on}", columns


def finished(build: Builder, result: str, *others: str) -> Script:
    """Return the script of all steps so far; the relation ``result`` and ``others`` are kept."""
    texts = [step.sql for step in build.steps]
    # Contracts are judged while a source is read, before the first step.
    texts += [
        row_expression(expect) for name in build.inputs for expect in build.sources[name].expects
    ]
    kernels = sorted({name for text in texts for name in _KERNEL.findall(text)})
    return Script(
        steps=tuple(build.steps),
        inputs={name: tuple(sorted(used)) for name, used in sorted(build.inputs.items())},
        kernels=tuple(kernels),
        result=build.steps[-1].name,
        checks=tuple(build.checks),
        groups=tuple(build.groups),
        drops=build.drops(result, *others),
    )


def _chosen(plan: ir.Plan, view: str, outputs: Sequence[str] | None) -> ir.View:
    found = next((candidate for candidate in plan.views if candidate.name == view), None)
    if found is None:
        raise KeyError(view)
    if outputs is None:
        return found
    names = {output.name for output in found.outputs}
    for name in outputs:
        if name not in names:
            raise KeyError(name)
    return replace(found, outputs=tuple(o for o in found.outputs if o.name in set(outputs)))


def as_features(build: Builder, entity: ir.Entity, view: ir.View) -> dict[str, ir.FeatureId]:
    """Give every output a feature: its own, or one made for the view's lookup or key column."""
    wanted: dict[str, ir.FeatureId] = {}
    for output in view.outputs:
        if isinstance(output.expression, ir.FeatureRef):
            wanted[output.name] = output.expression.feature
            continue
        made = ir.FeatureId(entity.name, f"{view.name}:{output.name}")
        build.features[made] = ir.Feature(made, output.type, output.expression)
        wanted[output.name] = made
    return wanted


def _known_keys(build: Builder, entity: ir.Entity, wanted: list[ir.FeatureId], grid: bool) -> str:
    """Make the spine of every key with a visible row in a source that the entity's features
    read.
    """
    groups: dict[tuple[str, tuple[ir.Expr, ...]], None] = {}
    if not entity.request:
        for name in in_order(build, wanted):
            for node in walk(build.features[name].expression):
                if isinstance(node, ir.Aggregate):
                    groups.setdefault((node.rows, node.keys))
    if not groups:
        raise NoKnownKeysError(entity.name)
    parts = [f'"@k{place}"' for place in range(len(entity.keys))]
    listed = ", ".join(parts)
    selects = []
    for rows, keys in groups:
        relation = row_relation(build, rows)
        leaves: dict[ir.Expr, str] = {
            node: node.name for key in keys for node in walk(key) if isinstance(node, ir.Column)
        }
        layers = Layers(leaves, time="@e")
        for place, key in enumerate(keys):
            layers.add(f"@k{place}", key)
        # Visible from the first instant after the event; facts known ahead are visible once known.
        ahead = [place for place, source in enumerate(build.bases(rows)) if source.ahead]
        seen = '"@k"' if ahead else 'greatest("@k", "@e" + 1)'
        if 0 < len(ahead) < len(build.bases(rows)):
            places = ", ".join(map(str, ahead))
            seen = f'CASE WHEN "@place" IN ({places}) THEN "@k" ELSE greatest("@k", "@e" + 1) END'
        layers.add_sql("@seen", seen, 0)
        present = " AND ".join(f"{part} IS NOT NULL" for part in parts)
        head = f"{listed}, " if parts else ""
        until = '"@until"' if "@until" in build.hidden(rows) else 'NULL::BIGINT AS "@until"'
        selects.append(
            f'SELECT {head}"@seen", {until} FROM {layers.rows(relation)}'
            + (f" WHERE {present}" if parts else "")
        )
    union = "\nUNION ALL\n".join(selects)
    head = f"{listed}, " if parts else ""
    known = build.step(
        "known keys",
        f'SELECT {head}min("@seen") AS "@seen", "@until"\nFROM ({union})\nGROUP BY {head}"@until"',
        f"{entity.name}: every key of a row, when it was first visible, and until when",
    )
    named = "".join(
        f"{part} AS {ident(field.name)}, " for part, field in zip(parts, entity.keys, strict=True)
    )
    order = ", ".join([*parts, '"@t"'])
    times = "grid_times g" if grid else f'(SELECT {AS_OF} AS "@t") g'
    return build.step(
        "spine",
        f'SELECT row_number() OVER (ORDER BY {order}) - 1 AS "@row", {named}"@t"\n'
        f'FROM (SELECT DISTINCT {head}g."@t"\n  FROM {known} k JOIN {times} ON k."@seen" <= g."@t"'
        f' AND (k."@until" IS NULL OR g."@t" <= k."@until"))',
        f"{entity.name}: one row per known key" + (" and time" if grid else ""),
    )
