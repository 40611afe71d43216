"""``test`` blocks: their rows against the sources and contracts, their expectations as plan
expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from astrafs.builtins.registry import OPERATORS
from astrafs.diagnostics.codes import names as name_codes
from astrafs.diagnostics.codes import tests as codes
from astrafs.diagnostics.codes import types as type_codes
from astrafs.diagnostics.model import Edit
from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.probe import PROBE, with_probe
from astrafs.plan.program import SourceOrigin
from astrafs.plan.prune import prune
from astrafs.plan.tests import VALUE, Expectation, InlineRow, TestCase
from astrafs.plan.tree import Origin, transform
from astrafs.resolve.collect import suggest_within
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import ModuleScope, Symbol, SymbolKind
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.constants import computed, fold
from astrafs.typecheck.context import Context, Environment, NamedValue, Place
from astrafs.typecheck.convert import mismatch, widen
from astrafs.typecheck.rows import apply_row
from astrafs.typecheck.typed import Typed, stored
from astrafs.typesys import BOOL, TIMESTAMP, Kind, Type

_NULL_TESTS = {"==": "is_null", "!=": "is_not_null"}


def check_tests(
    env: Environment, plan: ir.Plan, origins: Mapping[str, SourceOrigin]
) -> tuple[TestCase, ...]:
    """Check every ``test`` block of the project, in the order of modules and of the text."""
    found: list[TestCase] = []
    for scope in env.symbols.modules.values():
        taken: dict[str, Span] = {}
        for tree in scope.tree.declarations:
            if isinstance(tree, ast.TestDecl):
                _check_title(tree, taken, env)
                found.append(_TestChecker(tree, scope, env, plan, origins).check())
    return tuple(found)


def _check_title(tree: ast.TestDecl, taken: dict[str, Span], env: Environment) -> None:
    first = taken.setdefault(tree.title, tree.title_span)
    if first is not tree.title_span:
        env.sink.emit(
            name_codes.DUPLICATE_NAME.at(
                tree.title_span, "a second time", title="two tests of this file have one title"
            )
            .label(first, "the first test called so")
            .help("say in the title what is different about this one")
        )
    if not tree.expects:
        env.sink.emit(
            name_codes.EMPTY_BLOCK.at(
                tree.title_span, "no `expect` follows", title="a test expects nothing"
            ).help("say what must come out: `expect User[1].n at 2026-01-01T10:00:00Z == 1`")
        )


class _TestChecker:
    """Checks one block; a mistake costs the row or expectation that has it."""

    def __init__(
        self,
        tree: ast.TestDecl,
        scope: ModuleScope,
        env: Environment,
        plan: ir.Plan,
        origins: Mapping[str, SourceOrigin],
    ) -> None:
        self.tree = tree
        self.scope = scope
        self.env = env
        self.sink = env.sink
        self.plan = plan
        self.sources = {source.name: source for source in plan.sources}
        self.origins = origins
        self.lacking: list[tuple[ast.TestRow, Symbol, tuple[str, ...]]] = []
        self.values = Context(env, scope, env.sink, Place.TEST_VALUE)

    def check(self) -> TestCase:
        """Check rows, then expectations."""
        rows: dict[str, list[InlineRow]] = {}
        for block in self.tree.rows:
            kinds = (SymbolKind.SOURCE, SymbolKind.TABLE)
            symbol = resolve_name(self.scope, block.source, kinds, self.env.symbols, self.sink)
            if symbol is not None and symbol.qualified in self.sources:
                made = [row for tree in block.rows if (row := self.row(tree, symbol)) is not None]
                rows.setdefault(symbol.qualified, []).extend(made)
        for name, found in rows.items():
            self.contracts(self.sources[name], found)
        checked = [self.expectation(tree) for tree in self.tree.expects]
        expects = tuple(expect for expect in checked if expect is not None)
        self.report_lacking(expects)
        return TestCase(
            self.tree.title,
            self.scope.name,
            {name: tuple(found) for name, found in sorted(rows.items())},
            expects,
            self.tree.title_span,
            self.tree.span,
        )

    # --- rows

    def row(self, tree: ast.TestRow, symbol: Symbol) -> InlineRow | None:
        """Check one row; None where a cell is wrong."""
        schema = self.env.schemas[symbol.qualified]
        declaration = symbol.declaration
        assert isinstance(declaration, ast.SourceDecl)
        declared = {column.name.text: column for column in declaration.columns}
        values: dict[str, Any] = dict.fromkeys(schema.columns)
        given: dict[str, Span] = {}
        sound = not schema.broken
        misspelt = False
        for ident, expr in tree.values:
            column = schema.columns.get(ident.text)
            if column is None:
                sound, misspelt = False, True
                if not schema.broken and ident.text:
                    self.unknown_column(ident, symbol, schema.columns)
                continue
            first = given.setdefault(ident.text, ident.span)
            if first is not ident.span:
                self.sink.emit(
                    name_codes.DUPLICATE_NAME.at(
                        ident.span, "named again here", title=f"the row has two `{ident.text}`"
                    )
                    .label(first, "first named here")
                    .help("remove one of them")
                )
            value = self.cell(expr, column, declared[ident.text].type)
            if value is None:
                sound = False
            else:
                (values[ident.text],) = value
        source = self.sources[symbol.qualified]
        if isinstance(source.knowledge, ir.KnownColumn) and source.knowledge.column not in given:
            given[source.knowledge.column] = tree.span  # known at once
            values[source.knowledge.column] = values.get(source.time)
        lacking = tuple(
            name
            for name, column in schema.columns.items()
            if name not in given and not column.type.nullable and not column.type.is_error
        )
        if lacking and not misspelt:  # what is misspelt is most likely this column
            self.lacking.append((tree, symbol, lacking))
        sound = sound and not {*source.key, source.time}.intersection(lacking)
        return InlineRow(values, tree.span) if sound else None

    def report_lacking(self, expects: tuple[Expectation, ...]) -> None:
        """Report rows without a column that an expectation reads, or that tells rows apart."""
        read = _columns_read(self.plan, expects) if self.lacking else {}
        for tree, symbol, lacking in self.lacking:
            source = self.sources[symbol.qualified]
            needed = {*source.key, source.time} | read.get(source.name, frozenset())
            columns = self.env.schemas[symbol.qualified].columns
            for name in (name for name in lacking if name in needed):
                self.sink.emit(
                    codes.TEST_COLUMN.at(
                        tree.span, f"no `{name}`", title=f"the row lacks the column `{name}`"
                    )
                    .label(columns[name].span, f"declared `{columns[name].type}` here")
                    .help("give it a value; only what no expectation reads may be left out")
                )

    def unknown_column(
        self, ident: ast.Ident, symbol: Symbol, known: Mapping[str, NamedValue]
    ) -> None:
        """Report a cell that names no column."""
        found = name_codes.UNKNOWN_COLUMN.at(
            ident.span,
            f"not a column of the {symbol.kind}",
            title=f"{symbol.kind} `{symbol.name}` has no column `{ident.text}`",
        ).label(symbol.span, "declared here")
        symbols = self.env.symbols
        self.sink.emit(suggest_within(found, ident.text, lambda: known, ident.span, symbols))

    def cell(self, expr: ast.Expr, column: NamedValue, declared: ast.TypeExpr) -> tuple[Any] | None:
        """Check one cell; a key column takes a key or a bare value of its part. Returns the value,
        or None where it is wrong.
        """
        target = column.type
        if target.is_error:
            return None
        value = self.constant(expr, target)
        if value is None:
            return None
        if value.type.kind is not Kind.KEY:
            target = stored(target)
        problem = mismatch(value, replace(target, unit=value.type.unit))
        if problem is not None:
            found = type_codes.WRONG_TYPE.at(
                value.span,
                f"this is `{value.type}`",
                title=f"column `{column.name}` is `{column.type}`, not `{value.type}`",
            ).label(declared.span, "declared here")
            if value.type.kind is Kind.DATE and isinstance(expr, ast.DateLit):
                instant = f"{expr.text}T00:00:00Z"
                found = found.help(f"write the instant: `{instant}`")
                found = found.fix(f"write `{instant}`", Edit(expr.span, instant), safe=False)
            elif value.type.is_numeric:
                found = found.note(problem)
            self.sink.emit(found)
            return None
        if value.type.nullable and not target.nullable:
            self.sink.emit(
                codes.TEST_COLUMN.at(
                    value.span, "this is null", title=f"column `{column.name}` is never null"
                ).label(declared.span, f"declared `{column.type}` here")
            )
            return None
        value = fold(widen(value, target, self.sink), self.sink)
        return None if value.failed else (computed(value.expr),)

    def constant(self, expr: ast.Expr, want: Type | None) -> Typed | None:
        """Check an expression and compute it; None after reporting why it is no constant."""
        span = _reads(expr)
        if span is not None:
            self.sink.emit(
                codes.TEST_VALUE.at(span, "depends on data").help(
                    "write the value itself; what is tested stands left of the comparison"
                )
            )
            return None
        value = self.env.check(expr, self.values, want)
        if value.parts and not value.failed:
            self.sink.emit(
                codes.TEST_VALUE.at(
                    value.span, "a key of several parts", title="no column holds such a key"
                ).help("give each part in its own column")
            )
            return None
        value = fold(value, self.sink)
        return None if value.failed else value

    # --- contracts

    def contracts(self, source: ir.Source, rows: list[InlineRow]) -> None:
        """Judge the rows as a run would judge data: unique keys, knowledge, ``expect`` lines."""
        seen: dict[tuple[Any, ...], InlineRow] = {}
        for row in rows:
            key = tuple(row.values.get(name) for name in source.key)
            first = seen.setdefault(key, row)
            if first is not row and not source.table and not source.revisions:
                self.broken(source, row, f"the key ({', '.join(source.key)}) is unique", first.span)
            if isinstance(source.knowledge, ir.KnownColumn) and source.time and not source.ahead:
                # A damaged declaration may name columns that it has not.
                known = row.values.get(source.knowledge.column)
                event = row.values.get(source.time)
                if known is not None and event is not None and known < event:
                    words = f"`{source.knowledge.column}` (known) is not before `{source.time}`"
                    self.broken(source, row, words, None)
            for condition, origin in zip(
                source.expects, self.origins[source.name].expects, strict=True
            ):
                if self.holds(condition, row) is False:
                    self.broken(source, row, "its `expect` line holds", origin.span)

    def holds(self, condition: ir.Expr, row: InlineRow) -> Any:
        """Evaluate an ``expect`` line over a row; None where it is null or cannot be computed."""

        def filled(node: ir.Expr) -> ir.Expr:
            if isinstance(node, ir.Column):
                return ir.Literal(row.values.get(node.name), node.type)
            return node

        value = fold(Typed(transform(condition, filled), BOOL, Origin(row.span)), self.sink)
        return value.constant

    def broken(self, source: ir.Source, row: InlineRow, rule: str, other: Span | None) -> None:
        """Report a row that breaks a contract."""
        name = source.name.rsplit(".", 1)[-1]
        found = codes.TEST_CONTRACT.at(
            row.span, "this row", title=f"a row of `{name}` breaks a contract"
        ).note(f"rule: {rule}")
        if other is not None:
            text = "has the same key" if "key" in rule else "declared here"
            found = found.label(other, text)
        self.sink.emit(found.help("mend the row; data like this would stop a run"))

    # --- expectations

    def expectation(self, tree: ast.TestExpect) -> Expectation | None:
        """Check one expectation; None where something is wrong with it."""
        at = self.instant(tree.at, "at")
        as_of = at if tree.as_of is None else self.instant(tree.as_of, "as_of")
        ctx = Context(self.env, self.scope, self.sink, Place.TEST)
        left = self.env.check(tree.value, ctx)
        if left.parts and not left.failed:
            self.sink.emit(
                type_codes.BAD_OPERANDS.at(
                    left.span, f"this is `{left.type}`", title="a test compares single values"
                ).help("name one part of the key")
            )
            return None
        right = self.constant(tree.expected, left.type if not left.failed else None)
        if at is None or as_of is None or left.failed or right is None:
            return None
        test = self.comparison(tree, left, right)
        if test is None:
            return None
        expected = test.args[1] if len(test.args) > 1 else ir.Literal(None, stored(left.type))
        return Expectation(
            left.expr,
            left.type,
            at,
            as_of,
            test,
            tree.op,
            computed(expected),
            expected.type,
            left.origin,
            tree.span,
        )

    def comparison(self, tree: ast.TestExpect, left: Typed, right: Typed) -> ir.Call | None:
        """Return the condition on the value; ``== null`` means that it is null."""
        span = tree.span
        if right.type.kind is Kind.NULL and tree.op in _NULL_TESTS:
            value = left
            if not left.type.nullable:
                value = replace(left, type=left.type.optional())
            found = apply_row(_NULL_TESTS[tree.op], (value,), span, self.sink, symbol="is null")
        else:
            value = left
            if left.type.kind is Kind.KEY and right.type.kind is not Kind.KEY:
                value = replace(left, type=stored(left.type))
            row = OPERATORS[tree.op].name
            found = apply_row(
                row, (value, right), span, self.sink, symbol=tree.op, op_span=tree.op_span
            )
        if found.failed or not isinstance(found.expr, ir.Call):
            return None
        column = ir.Column(VALUE, left.expr.type)
        first, *rest = found.expr.args
        tested = transform(first, lambda node: column if node == left.expr else node)
        return replace(found.expr, args=(tested, *rest))

    def instant(self, expr: ast.Expr, word: str) -> int | None:
        """Return a constant timestamp, or None after reporting that it is none."""
        if isinstance(expr, ast.DateLit):
            instant = f"{expr.text}T00:00:00Z"
            self.sink.emit(
                codes.TEST_TIME.at(
                    expr.span, "a whole day", title=f"the time after `{word}` is a date"
                )
                .help(f"write the instant: `{instant}`")
                .fix(f"write `{instant}`", Edit(expr.span, instant), safe=False)
            )
            return None
        value = self.constant(expr, TIMESTAMP)
        if value is None:
            return None
        if value.type.kind is not Kind.TIMESTAMP or value.constant is None:
            self.sink.emit(
                codes.TEST_TIME.at(
                    value.span,
                    f"this is `{value.type}`",
                    title=f"the time after `{word}` is no timestamp",
                ).help("write an instant such as `2026-01-01T10:00:00Z`")
            )
            return None
        found: int = value.constant
        return found


def _columns_read(plan: ir.Plan, expects: tuple[Expectation, ...]) -> Mapping[str, frozenset[str]]:
    """Return the columns of sources that expectations read, contracts apart; nothing where the
    program has mistakes, which were reported.
    """
    bare = replace(plan, sources=tuple(replace(one, expects=()) for one in plan.sources))
    asked = [(one.expression, one.type) for one in expects]
    try:
        pruned = prune(with_probe(bare, asked), views=[PROBE])
    except (PlanError, KeyError):
        return {}
    return {
        source.name: frozenset(column.name for column in source.columns)
        for source in pruned.sources
    }


def _reads(expr: ast.Expr) -> Span | None:
    """Return where an expression reads data: a lookup or an aggregate; None where it does not."""
    match expr:
        case ast.Index() | ast.Over() | ast.LookupTime():
            return expr.span
        case ast.Member():
            return expr.span if isinstance(expr.base, ast.Index) else _reads(expr.base)
        case ast.Unary():
            return _reads(expr.operand)
        case ast.Binary():
            return _reads(expr.left) or _reads(expr.right)
        case ast.CallExpr():
            return next((span for arg in expr.args if (span := _reads(arg)) is not None), None)
        case _:
            return None
