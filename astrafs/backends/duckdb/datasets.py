"""From a plan and the name of a dataset to a script: the spine is made from the rows known by K."""

from __future__ import annotations

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.compile import answered, as_features, finished
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.rows import AS_OF, columns_of, row_relation
from astrafs.backends.duckdb.script import Engine, Script
from astrafs.deep import deeply
from astrafs.plan import ir
from astrafs.plan.prune import reachable_by_dataset
from astrafs.plan.tree import walk
from astrafs.record import dataclass

TEST = "@test"
"""The result's column that is true on the rows of the test split."""


def immature(place: int) -> str:
    """Return the result's column that is true where the label at ``place`` is not decided yet."""
    return f"@immature{place}"


@dataclass(frozen=True, slots=True)
class DatasetScript:
    """The script of a dataset. Its result has the spine's columns, the outputs and the labels, and
    ``"@t"``, :data:`TEST` and :func:`immature`; the relation ``gap`` counts the rows left out.
    """

    script: Script
    gap: str


def compile_dataset(plan: ir.Plan, name: str, engine: Engine = "sql") -> DatasetScript:
    """Compile the dataset called ``name`` (qualified); raises PlanError where there is none."""
    return deeply(lambda: _compile(plan, name, engine))


def compile_spine(plan: ir.Plan, name: str) -> DatasetScript:
    """Compile only the spine of a dataset. Its result has ``"@row"``, ``"@t"``, the keys by the
    names of the entity's, the row's own columns behind a ``=``, :data:`TEST` and :func:`immature`.
    """
    return deeply(lambda: _compile_spine(plan, name))


def _compile_spine(plan: ir.Plan, name: str) -> DatasetScript:
    pruned = reachable_by_dataset(plan, name)
    (dataset,), (view,) = pruned.datasets, pruned.views
    build = Builder(pruned)
    spine, gap = _spine(build, dataset, build.entities[view.entity])
    listed = [
        f"({_mature(label)}) IS NOT TRUE AS {ident(immature(place))}"
        for place, label in enumerate(dataset.labels)
    ]
    values = ",\n  ".join([*listed, f"{_test(dataset)} AS {ident(TEST)}"])
    result = build.step(
        "result",
        f'SELECT * EXCLUDE ("@cutoff"),\n  {values}\nFROM {spine} s',
        f"dataset {name}: which labels are decided",
    )
    return DatasetScript(finished(build, result, gap), gap)


def _mature(label: ir.Label) -> str:
    """SQL of whether a label of the spine's row ``s`` is decided."""
    return " AND ".join(
        [
            f's."@t" + {label.horizon} <= s."@cutoff"',
            *(f's.{ident(f"={known}")} <= s."@cutoff"' for known in label.known),
        ]
    )


def _test(dataset: ir.Dataset) -> str:
    return "FALSE" if dataset.test_from is None else f's."@t" >= {dataset.test_from}'


def _compile(plan: ir.Plan, name: str, engine: Engine) -> DatasetScript:
    pruned = reachable_by_dataset(plan, name)
    (dataset,) = pruned.datasets
    (view,) = pruned.views
    build = Builder(pruned, engine)
    entity = build.entities[view.entity]
    wanted = as_features(build, entity, view)
    spine, gap = _spine(build, dataset, entity)

    leaves: dict[ir.Expr, str] = {}
    for label in dataset.labels:
        leaves |= {node: f"={node.name}" for node in _columns(label.expression)}
    lookups = lookups_in(label.expression for label in dataset.labels)
    rows = spine
    if lookups:
        rows, found = attach(
            build, spine, lookups, leaves, "@t", f"dataset {name}: labels as of each row's own time"
        )
        leaves |= found
    answers, columns = answered(build, entity, list(wanted.values()), rows, view.name)
    listed = [f"s.{ident(f'={field.name}')} AS {ident(field.name)}" for field in dataset.columns]
    listed += [f"a.{ident(columns[made])} AS {ident(out)}" for out, made in wanted.items()]
    for place, label in enumerate(dataset.labels):
        mature = _mature(label)
        value = f"s.{ident(leaves[label.expression])}"
        listed.append(f"CASE WHEN {mature} THEN {value} END AS {ident(label.name)}")
        listed.append(f"({mature}) IS NOT TRUE AS {ident(immature(place))}")
    values = ",\n  ".join([*listed, f"{_test(dataset)} AS {ident(TEST)}", 's."@t"'])
    result = build.step(
        "result",
        f'SELECT s."@row",\n  {values}\nFROM {rows} s JOIN {answers}',
        f"dataset {name}: one row per row of the spine; labels that are mature",
    )
    return DatasetScript(finished(build, result, gap), gap)


def _columns(expr: ir.Expr) -> list[ir.Column]:
    return [node for node in walk(expr) if isinstance(node, ir.Column)]


def _spine(build: Builder, dataset: ir.Dataset, entity: ir.Entity) -> tuple[str, str]:
    """Make the spine: ``"@row"``, ``"@t"``, the keys by the names of the entity's, and the row's
    own columns behind a ``=``. Also count the rows in the gap of the split.
    """
    rows = dataset.spine
    labels = [label.expression for label in dataset.labels]
    own = {column.name for column in dataset.columns} | columns_of(labels)
    own |= {name for label in dataset.labels for name in label.known}
    build.asked[rows] = own | columns_of(dataset.keys)
    relation = row_relation(build, rows)
    leaves: dict[ir.Expr, str] = {node: node.name for key in dataset.keys for node in _columns(key)}
    layers = Layers(leaves, time="@e")
    for place, key in enumerate(dataset.keys):
        layers.add(f"@key{place}", key)
    order = ", ".join(ident(name) for name in ("@e", *build.order(rows)))
    listed = [f'row_number() OVER (ORDER BY {order}) - 1 AS "@row"', '"@e" AS "@t"']
    listed.append(f'{_cutoff(dataset)} AS "@cutoff"')
    listed += [
        f"{ident(f'@key{place}')} AS {ident(field.name)}" for place, field in enumerate(entity.keys)
    ]
    listed += [f"{ident(name)} AS {ident(f'={name}')}" for name in sorted(own)]
    final = '"@until" IS NULL' if "@until" in build.hidden(rows) else "TRUE"
    inside = "FALSE"
    if dataset.train_before is not None and dataset.test_from is not None:
        inside = f'"@e" >= {dataset.train_before} AND "@e" < {dataset.test_from}'
    gap = build.step(
        "gap",
        f"SELECT count(*) AS n\nFROM {relation}\nWHERE {final} AND {inside}",
        f"dataset {dataset.name}: rows between training and testing",
    )
    spine = build.step(
        "spine",
        f"SELECT {', '.join(listed)}\nFROM {layers.rows(relation)}\n"
        f"WHERE {final} AND NOT ({inside})",
        f"dataset {dataset.name}: one row per row of {rows} known at the cutoff",
    )
    return spine, gap


def _cutoff(dataset: ir.Dataset) -> str:
    """SQL of the time by which labels must be decided: K, and for training rows the start of the
    test at the latest.
    """
    if dataset.train_before is None:
        return AS_OF
    train = f"least({AS_OF}, {dataset.test_from})"
    return f'CASE WHEN "@e" < {dataset.train_before} THEN {train} ELSE {AS_OF} END'
