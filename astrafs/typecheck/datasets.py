"""Datasets: a view asked for every row of a spine, beside the labels, split by time."""

from __future__ import annotations

from dataclasses import replace

from astrafs.diagnostics.codes import datasets as codes
from astrafs.diagnostics.codes import names as name_codes
from astrafs.plan import ir
from astrafs.plan.program import DatasetOrigin
from astrafs.plan.tree import Origin
from astrafs.resolve.collect import suggest
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import ROWS, Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.blocks import row_keys
from astrafs.typecheck.constants import fold
from astrafs.typecheck.context import (
    Context,
    EntityInfo,
    Environment,
    NamedValue,
    Place,
    RowSchema,
)
from astrafs.typecheck.convert import mismatch, widen
from astrafs.typecheck.typed import Typed
from astrafs.typesys import DURATION_UNITS, Kind

_UNION = "a union has the columns of all its members: `{}` has no `{}`"


def check_dataset(
    symbol: Symbol, views: dict[str, ir.View], env: Environment
) -> tuple[ir.Dataset, DatasetOrigin] | None:
    """Check one dataset; None where there is nothing to put into a plan.

    ``views`` are those of the project by qualified name. What depends on time (horizons, and which
    columns of the spine may be shown) is left to ``astrafs.temporal.datasets``.
    """
    return _DatasetChecker(symbol, views, env).declare()


class _DatasetChecker:
    """Checks one dataset, clause by clause."""

    def __init__(self, symbol: Symbol, views: dict[str, ir.View], env: Environment) -> None:
        tree = symbol.declaration
        assert isinstance(tree, ast.DatasetDecl)
        self.symbol = symbol
        self.tree = tree
        self.views = views
        self.env = env
        self.sink = env.sink
        self.scope = env.symbols.modules[symbol.module]

    def declare(self) -> tuple[ir.Dataset, DatasetOrigin] | None:
        """Check the view, the spine, its keys, the labels and the split."""
        view, schema = self.view(), self.spine()
        split, split_spans = self.split()
        if view is None or schema is None or split is None:
            return None
        entity = self.env.entities.get(view.entity)
        if entity is None:
            return None
        keys = self.keys(entity, schema)
        labels, label_origins = self.labels(view, schema)
        if keys is None or labels is None:
            return None
        dataset = ir.Dataset(
            self.symbol.qualified,
            view.name,
            schema.name,
            keys[0],
            labels,
            *split,
            self.tree.doc,
        )
        assert self.tree.spine is not None
        origin = DatasetOrigin(
            self.symbol.span,
            self.tree.span,
            self.tree.spine.span,
            keys[1],
            label_origins,
            split_spans,
            self.symbol.module,
        )
        return dataset, origin

    def view(self) -> ir.View | None:
        """Return the view that the dataset asks."""
        ident = self.tree.view
        if ident is None or not ident.text:
            return None
        kinds = (SymbolKind.VIEW,)
        found = resolve_name(self.scope, ident, kinds, self.env.symbols, self.sink)
        return None if found is None else self.views.get(found.qualified)

    def spine(self) -> RowSchema | None:
        """Return the rows that the dataset has one example for each of."""
        ident = self.tree.spine
        if ident is None:
            if self.scope.lost is None:
                self.sink.emit(
                    codes.NO_SPINE.at(
                        self.symbol.span,
                        "no `spine` follows",
                        title=f"dataset `{self.symbol.name}` has no spine",
                    ).help("name the rows that are its examples: `spine transactions`")
                )
            return None
        found = self.scope.find(ident.text)
        if found is not None and found.kind is SymbolKind.TABLE:
            self.sink.emit(
                name_codes.WRONG_KIND.at(
                    ident.span,
                    "a table has states, not events",
                    title=f"`{found.name}` is a table, and a spine has events",
                )
                .label(found.span, "declared here")
                .help("declare the file as a `source` as well, with its own name")
            )
            return None
        symbol = resolve_name(self.scope, ident, ROWS, self.env.symbols, self.sink)
        return None if symbol is None else self.env.schemas.get(symbol.qualified)

    # --- the view's questions

    def keys(
        self, entity: EntityInfo, schema: RowSchema
    ) -> tuple[tuple[ir.Expr, ...], tuple[Origin, ...]] | None:
        """Return the key of the view's entity, or the fields of its request, over a spine row."""
        tree = self.tree
        assert tree.spine is not None
        if not entity.request:
            block = ast.FeaturesDecl(
                ast.Ident(entity.symbol.name, tree.spine.span),
                tree.spine,
                tree.by,
                None,
                (),
                span=tree.span,
            )
            return row_keys(block, entity, schema, self.env, "spine")
        if tree.by:
            self.sink.emit(
                codes.SPINE_FIELD.at(
                    tree.by[0].span.to(tree.by[-1].span),
                    "the fields of a request are taken by name",
                    title="`by` goes with the view of an entity",
                ).help("rename a column with a stream: `stream s from rows { field: T = column }`")
            )
            return None
        exprs: list[ir.Expr] = []
        origins: list[Origin] = []
        sound = True
        for field in entity.names.values():
            value = self.field(field, entity, schema)
            if value is None:
                sound = False
                continue
            for expr, origin in value.parts or ((value.expr, value.origin),):
                exprs.append(expr)
                origins.append(origin)
        return (tuple(exprs), tuple(origins)) if sound else None

    def field(self, field: NamedValue, entity: EntityInfo, schema: RowSchema) -> Typed | None:
        """Return the value of a request field: the column of its name, else the one of its key
        type.
        """
        column = schema.columns.get(field.name)
        if column is None:
            column = self.only_key(field, entity, schema)
        if column is None or field.type.is_error or column.type.is_error:
            return None
        assert self.tree.spine is not None
        value = column.read(self.tree.spine.span, False, schema.facts)
        rows = schema.symbol.name
        same_parts = len(value.parts) == (len(field.parts) if len(field.parts) > 1 else 0)
        if mismatch(value, field.type) is not None or not same_parts:
            self.sink.emit(
                codes.SPINE_FIELD.at(
                    self.tree.spine.span,
                    f"`{column.name}` is `{column.type}`",
                    title=f"field `{field.name}` of `{entity.symbol.name}` is `{field.type}`, "
                    f"and the spine's column is `{column.type}`",
                )
                .label(column.span, "the column")
                .label(field.span, "the field")
                .help(
                    "declare them alike, or convert it in a stream that is the spine then: "
                    f"`stream s from {rows} {{ ... }}`"
                )
            )
            return None
        if value.type.nullable and not field.type.nullable:
            self.sink.emit(
                codes.SPINE_FIELD.at(
                    self.tree.spine.span,
                    f"`{column.name}` may be null",
                    title=f"field `{field.name}` of `{entity.symbol.name}` is never null, and the "
                    "spine's column may be",
                )
                .label(column.span, f"declared `{column.type}`")
                .label(field.span, f"declared `{field.type}`")
                .help(
                    f"leave those rows out: `stream s from {rows} where {column.name} is not null`"
                    ", and make `s` the spine; or let the field be null"
                )
            )
            return None
        return widen(value, field.type.with_null(value.type.nullable), self.sink)

    def only_key(
        self, field: NamedValue, entity: EntityInfo, schema: RowSchema
    ) -> NamedValue | None:
        """Return the one column whose type is the entity of ``field``; reports none and several."""
        assert self.tree.spine is not None
        typed = [
            column
            for column in schema.columns.values()
            if field.type.kind is Kind.KEY
            and column.type.kind is Kind.KEY
            and column.type.entity == field.type.entity
        ]
        if len(typed) == 1:
            return typed[0]
        rows = schema.symbol.name
        if schema.broken or any(column.type.is_error for column in schema.columns.values()):
            return None
        if typed:
            names = ", ".join(f"`{column.name}`" for column in typed)
            found = codes.SPINE_FIELD.at(
                self.tree.spine.span,
                f"{names} are all `{field.type.required()}`",
                title=f"several columns of `{rows}` may be the field `{field.name}` of "
                f"`{entity.symbol.name}`",
            ).label(field.span, "the field")
            self.sink.emit(
                found.help(
                    f"name the field as the column that it is, such as `{typed[0].name}`, or let "
                    f"a stream name it: `stream s from {rows} {{ {field.name}: "
                    f"{field.type} = {typed[0].name} }}`"
                )
            )
            return None
        found = codes.SPINE_FIELD.at(
            self.tree.spine.span,
            f"no column `{field.name}`",
            title=f"the spine `{rows}` has no field `{field.name}` of `{entity.symbol.name}`",
        ).label(field.span, f"declared `{field.type}`")
        if field.name in schema.lacking:
            found = found.note(_UNION.format(schema.lacking[field.name], field.name))
        self.sink.emit(
            found.help(
                f"add it in a stream that is the spine then: `stream s from {rows} {{ "
                f"{field.name}: {field.type} = ... }}`"
            )
        )
        return None

    # --- labels

    def labels(
        self, view: ir.View, schema: RowSchema
    ) -> tuple[tuple[ir.Label, ...] | None, tuple[Origin, ...]]:
        """Return the labels, or None after reporting what is wrong with one."""
        found: list[ir.Label] = []
        origins: list[Origin] = []
        taken: dict[str, str] = {out.name.casefold(): "the view has" for out in view.outputs}
        spans: dict[str, Span] = {}
        sound = True
        for item in self.tree.labels:
            value = self.label(item, view, schema)
            name = self.label_name(item)
            if value is None or name is None:
                sound = False
                continue
            span = item.alias.span if item.alias is not None else item.value.span
            folded = name.casefold()
            if folded in taken or folded in spans:
                sound = False
                problem = name_codes.DUPLICATE_NAME.at(
                    span,
                    "a label of this name" if folded in taken else "named again here",
                    title=f"the dataset would have two columns `{name}`",
                )
                if folded in spans:
                    problem = problem.label(spans[folded], "first named here")
                else:
                    problem = problem.note(f"{taken[folded]} a column of this name")
                self.sink.emit(problem.help(f"give the label another name: `... as y_{name}`"))
                continue
            spans[folded] = span
            type_ = value.type.optional()
            found.append(ir.Label(name, value.expr, type_, 0))
            origins.append(value.origin)
        return (tuple(found) if sound else None), tuple(origins)

    def label_name(self, item: ast.ViewItem) -> str | None:
        """Return a label's name: what follows ``as``, else the last name of the path."""
        if item.alias is not None:
            return item.alias.text or None
        expr = item.value
        last = expr.ident if isinstance(expr, ast.Name) else getattr(expr, "field", None)
        return last.text or None if isinstance(last, ast.Ident) else None

    def label(self, item: ast.ViewItem, view: ir.View, schema: RowSchema) -> Typed | None:
        """Check one label: a column of the spine, or another entity's label at the row's time."""
        expr = item.value
        if isinstance(expr, ast.Name) and expr.version is None:
            return self.column_label(expr, view, schema)
        if isinstance(expr, ast.BadExpr):
            return None
        ctx = Context(
            self.env,
            self.scope,
            self.sink,
            Place.DATASET,
            columns=schema.columns,
            facts=schema.facts,
            broken=schema.broken,
            lacking=schema.lacking,
        )
        value = self.env.check(expr, ctx)
        if value.failed:
            return None
        if isinstance(value.expr, ir.EntityLookup) and not value.parts:
            feature = value.expr.feature
            if self.is_label(feature):
                return value
            self.bad_label(
                expr.span,
                "a feature: it is known at the row's time",
                f"`{feature.name}` is no label",
                "a feature belongs into the view; what is to be predicted is declared under "
                "`labels for`",
            )
            return None
        self.bad_label(
            expr.span,
            "neither a column of the spine nor a label",
            "this is no label",
            "declare it under `labels for ENTITY`, and name it: `label Entity[key].name`",
        )
        return None

    def is_label(self, feature: ir.FeatureId) -> bool:
        """Whether a feature was declared under ``labels for``."""
        versions = self.env.symbols.features.get(feature.entity, {}).get(feature.name, {})
        found = versions.get(feature.version)
        return found is not None and found.block.labels

    def column_label(self, expr: ast.Name, view: ir.View, schema: RowSchema) -> Typed | None:
        """Check a label that is a column of the spine row itself."""
        name = expr.ident.text
        column = schema.columns.get(name)
        if column is None:
            if not schema.broken and name and not self.env.symbols.is_lost(name):
                self.unknown_label(expr, name, view, schema)
            return None
        value = column.read(expr.span, False, schema.facts)
        if value.failed:
            return None
        if value.parts:
            self.bad_label(
                expr.span,
                f"`{name}` is `{column.type}`",
                "a key of several parts is no label",
                "give the stream that is the spine a column with what is to be predicted",
            )
            return None
        return replace(value, type=column.type.with_null(value.type.nullable))

    def unknown_label(self, expr: ast.Name, name: str, view: ir.View, schema: RowSchema) -> None:
        """Report a bare name that is no column of the spine."""
        rows = schema.symbol.name
        found = name_codes.UNKNOWN_COLUMN.at(
            expr.span, f"not a column of `{rows}`", title=f"`{rows}` has no column `{name}`"
        )
        owners = [
            entity
            for entity, names in sorted(self.env.symbols.features.items())
            if any(one.block.labels for one in names.get(name, {}).values())
        ]
        if name in schema.lacking:
            found = found.note(_UNION.format(schema.lacking[name], name))
        elif owners:
            owner = view.entity if view.entity in owners else owners[0]
            short = owner.rsplit(".", 1)[-1]
            self.sink.emit(found.help(f"it is a label of `{short}`: `label {short}[key].{name}`"))
            return
        self.sink.emit(suggest(found, name, schema.columns, expr.span))

    def bad_label(self, span: Span, words: str, title: str, advice: str) -> None:
        """Report what cannot be a label."""
        self.sink.emit(codes.BAD_LABEL.at(span, words, title=title).help(advice))

    # --- the split

    def split(self) -> tuple[tuple[int | None, int | None] | None, tuple[Span, ...]]:
        """Return the end of training and the start of testing, or None after reporting them."""
        before, start = self.tree.train_before, self.tree.test_from
        if before is None or start is None:
            return (None, None), ()
        train, test = self.instant(before), self.instant(start)
        spans = before.span, start.span
        if train is None or test is None:
            return None, spans
        if train > test:
            self.sink.emit(
                codes.BAD_SPLIT.at(
                    before.span,
                    "this is the later one",
                    title="the split trains on rows after the start of the test",
                )
                .label(start.span, "the test starts here")
                .help("a split is `train before A, test from B`, and A is not after B")
            )
            return None, spans
        return (train, test), spans

    def instant(self, expr: ast.Expr) -> int | None:
        """Return a constant instant in microseconds; a date is its midnight in UTC."""
        ctx = Context(self.env, self.scope, self.sink, Place.CONST)
        value = fold(self.env.check(expr, ctx), self.sink)
        if value.failed:
            return None
        number = value.constant
        if isinstance(number, int) and value.type.kind is Kind.TIMESTAMP:
            return number
        if isinstance(number, int) and value.type.kind is Kind.DATE:
            return number * DURATION_UNITS["d"]
        self.sink.emit(
            codes.BAD_SPLIT.at(
                expr.span,
                f"this is `{value.type}`",
                title="a split is made at two instants known when compiling",
            ).help("write a timestamp or a date, such as `2026-03-01`, or a `const`")
        )
        return None
