"""Reductions of types, expressions and windows."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Edit
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.syntax.build_base import BaseBuilder
from astrafs.syntax.literals import INT_LIMIT
from astrafs.syntax.token import Token

Children = list[Any]

_SUFFIXES = {
    ast.PastWindow: ("offset", "every", "including"),
    ast.AllWindow: ("offset", "including"),
    ast.EdgesWindow: ("every",),
    ast.LastRowsWindow: (),
    ast.SinceWindow: (),
    ast.SessionWindow: (),
}

_CLOSING = re.compile(r"\s*\)")


class ExprBuilder(BaseBuilder):
    """Builds types, expressions and windows."""

    # --- types ---

    def type_expr(self, c: Children) -> ast.TypeExpr:
        core, mark, unit = c
        if mark is None and unit is None:
            return core  # type: ignore[no-any-return]
        end = unit.span if unit is not None else self.place(mark)
        return ast.TypeExpr(
            core.name,
            mark is not None,
            core.sizes,
            core.values,
            core.parts,
            unit,
            core.span.to(end),
        )

    def bad_type(self, c: Children) -> ast.TypeExpr:
        span = self.place(c[0])
        return ast.TypeExpr(ast.Ident(ast.BAD_TYPE, span), span=span)

    def named_type(self, c: Children) -> ast.TypeExpr:
        span = self.place(c[0])
        return ast.TypeExpr(ast.Ident(str(c[0]), span), span=span)

    def sized_type(self, c: Children) -> ast.TypeExpr:
        return ast.TypeExpr(
            self.type_word(c[0]),
            sizes=tuple(item.value for item in c if item.type == "INT"),
            values=tuple(item.value for item in c if item.type == "STRING"),
            span=self.between(c[0], c[-1]),
        )

    def list_type(self, c: Children) -> ast.TypeExpr:
        return ast.TypeExpr(self.type_word(c[0]), parts=(c[2],), span=self.between(c[0], c[3]))

    def map_type(self, c: Children) -> ast.TypeExpr:
        parts = (c[2], c[4])
        return ast.TypeExpr(self.type_word(c[0]), parts=parts, span=self.between(c[0], c[5]))

    def vector_type(self, c: Children) -> ast.TypeExpr:
        sizes = (c[2].value,)
        return ast.TypeExpr(self.type_word(c[0]), sizes=sizes, span=self.between(c[0], c[3]))

    def type_word(self, token: Token) -> ast.Ident:
        """Return the name of a type; whether there is one of that name is not for the parser to
        say.
        """
        return ast.Ident(str(token), self.place(token))

    def unit_expr(self, c: Children) -> ast.UnitExpr:
        factors: list[tuple[ast.Ident, int]] = []
        sign = 1
        for item in c[1:-1]:
            if isinstance(item, tuple):
                name, exponent = item
                factors.append((name, sign * exponent))
            elif isinstance(item, Token):
                sign = -1 if item.type == "SLASH" else 1
        return ast.UnitExpr(tuple(factors), self.between(c[0], c[-1]))

    def unit_factor(self, c: Children) -> tuple[ast.Ident, int]:
        name, _, minus, exponent = c
        power = exponent.value if exponent is not None else 1
        if power > 16:
            self.emit(codes.BAD_NUMBER.at(self.place(exponent), "a unit's exponent is at most 16"))
            power = 1
        return self.lower_name(name), -power if minus is not None else power

    def unit_one(self, c: Children) -> None:
        if c[0].value != 1:
            self.emit(
                codes.BAD_NUMBER.at(self.place(c[0]), "only 1 may stand for no unit").help(
                    "as in `[1/hour]`"
                )
            )

    # --- literals ---

    def int_literal(self, c: Children) -> ast.IntLit:
        value = c[0].value
        span = self.place(c[0])
        if value == INT_LIMIT:
            self.too_large[span.start] = span
        return ast.IntLit(value, span)

    def number(self, c: Children) -> ast.NumberLit:
        return ast.NumberLit(Decimal(c[0].value), str(c[0]), self.place(c[0]))

    def string(self, c: Children) -> ast.StringLit:
        return ast.StringLit(c[0].value, self.place(c[0]))

    def boolean(self, c: Children) -> ast.BoolLit:
        return ast.BoolLit(c[0].type == "TRUE", self.place(c[0]))

    def null(self, c: Children) -> ast.NullLit:
        return ast.NullLit(self.place(c[0]))

    def duration(self, c: Children) -> ast.DurationLit:
        return ast.DurationLit(c[0].value, str(c[0]), self.place(c[0]))

    def timestamp(self, c: Children) -> ast.TimestampLit:
        return ast.TimestampLit(c[0].value, str(c[0]), self.place(c[0]))

    def date(self, c: Children) -> ast.DateLit:
        return ast.DateLit(c[0].value, str(c[0]), self.place(c[0]))

    def list_literal(self, c: Children) -> ast.ListLit:
        return ast.ListLit(c[1] or (), self.between(c[0], c[2]))

    def exprs(self, c: Children) -> tuple[ast.Expr, ...]:
        return tuple(c[::2])

    def bad_expr(self, c: Children) -> ast.BadExpr:
        return ast.BadExpr(self.place(c[0]))

    # --- names, paths, calls ---

    def name(self, c: Children) -> ast.Name:
        ident = self.any_name(c[0])
        if c[1] is None:
            return ast.Name(ident, None, ident.span)
        return ast.Name(ident, self.version(c[1]), self.between(c[0], c[1]))

    def name_only(self, c: Children) -> ast.Name:
        ident = self.any_name(c[0])
        return ast.Name(ident, None, ident.span)

    def member(self, c: Children) -> ast.Member:
        base, _, field, version = c
        ident = self.lower_name(field)
        end = self.place(version) if version is not None else ident.span
        return ast.Member(base, ident, self.version(version), base.span.to(end))

    def index(self, c: Children) -> ast.Index:
        ident = self.any_name(c[0])
        base = ast.Name(ident, None, ident.span)
        return ast.Index(base, c[2] or (), self.between(c[0], c[3]))

    def call(self, c: Children) -> ast.CallExpr:
        callee, _, args, _, where, close = c
        span = self.between(callee, close)
        return ast.CallExpr(self.any_name(callee), args or (), where, span=span)

    def call_each(self, c: Children) -> ast.CallExpr:
        given = (item for item in c[2:-3] if item is not None and not isinstance(item, str))
        args = tuple(item[0] if isinstance(item, tuple) else item for item in given)
        span = self.between(c[0], c[-1])
        return ast.CallExpr(self.any_name(c[0]), args, c[-2], each=True, span=span)

    def each(self, c: Children) -> tuple[ast.Expr]:
        return (c[1],)

    def call_by(self, c: Children) -> ast.CallExpr:
        call, _, by = c
        span = call.span.to(by.span)
        return ast.CallExpr(call.callee, call.args, call.where, call.each, by, span)

    def paren(self, c: Children) -> ast.Expr:
        return c[1]  # type: ignore[no-any-return]

    # --- operators ---

    def unary(self, c: Children) -> ast.Expr:
        sign, operand = c
        span = self.between(sign, operand.span)
        if sign.type == "NOT":
            return ast.Unary("not", operand, span)
        match operand:
            case ast.IntLit(value, inner):
                self.too_large.pop(inner.start, None)
                if value < 0 and value == -INT_LIMIT:
                    self.too_large[inner.start] = span
                return ast.IntLit(-value, span)
            case ast.NumberLit(number, text):
                return ast.NumberLit(-number, "-" + text, span)
            case ast.DurationLit(micros, text):
                return ast.DurationLit(-micros, "-" + text, span)
            case _:
                return ast.Unary("-", operand, span)

    def binary(self, c: Children) -> ast.Expr:
        left, operator, right = c
        op_span = self.place(operator)
        span = left.span.to(right.span)
        op = str(operator)
        if operator.type == "CMP" and op in ("==", "!="):
            for value, other in ((right, left), (left, right)):
                if isinstance(value, ast.NullLit):
                    return self._null_test(value, other, op, op_span)
        return ast.Binary(op, left, right, op_span, span)

    def _null_test(
        self, null: ast.NullLit, operand: ast.Expr, op: str, op_span: Span
    ) -> ast.IsNull:
        words = "is null" if op == "==" else "is not null"
        span = null.span.to(operand.span)
        found = codes.COMPARED_WITH_NULL.at(span, "a comparison with null is always null")
        found = found.help(f"write `{words}`")
        edits = self._null_edits(null.span, operand.span, op_span, words)
        if edits:
            found = found.fix(f"write `{words}`", *edits)
        self.emit(found)
        return ast.IsNull(operand, op == "!=", span)

    def _null_edits(self, null: Span, operand: Span, op: Span, words: str) -> tuple[Edit, ...]:
        """Turn `x == null` around its operator, which leaves the parentheses around `x` alone (no
        span holds its parentheses); nothing where they or a comment stand at the null.
        """
        text = self.report.file.text
        first, last = (operand, null) if operand.start < null.start else (null, operand)
        before, after = text[first.end : op.start], text[op.end : last.start]
        if last is null:
            return (Edit(op.to(null), words),) if not after.strip() else ()
        if before.strip() or after.strip(" \t\n("):
            return ()
        end = operand.end
        for _ in range(after.count("(")):
            closing = _CLOSING.match(text, end)
            if closing is None:
                return ()
            end = closing.end()
        size = len(after) - len(after.lstrip())
        gone = Span(null.path, null.start, op.end + size)
        return Edit(gone, ""), Edit(Span(null.path, end, end), f" {words}")

    def is_null(self, c: Children) -> ast.IsNull:
        return ast.IsNull(c[0], False, self.between(c[0].span, c[-1]))

    def is_not_null(self, c: Children) -> ast.IsNull:
        return ast.IsNull(c[0], True, self.between(c[0].span, c[-1]))

    def in_list(self, c: Children) -> ast.InList:
        return ast.InList(c[0], c[2].items, False, c[0].span.to(c[2].span))

    def not_in_list(self, c: Children) -> ast.InList:
        return ast.InList(c[0], c[3].items, True, c[0].span.to(c[3].span))

    def if_expr(self, c: Children) -> ast.IfExpr:
        return ast.IfExpr(c[1], c[3], c[5], self.between(c[0], c[5].span))

    def over(self, c: Children) -> ast.Expr:
        aggregate, _, window = c
        span = aggregate.span.to(window.span)
        if not isinstance(aggregate, ast.CallExpr | ast.BadExpr):
            self.emit(
                codes.OVER_WITHOUT_AGGREGATE.at(aggregate.span, "this is not an aggregate").help(
                    "a window belongs to an aggregate, as in `sum(amount) over 7d`"
                )
            )
            return ast.BadExpr(span)
        return ast.Over(aggregate, window, span)

    def lookup_time(self, c: Children) -> ast.Expr:
        lookup, clauses = c
        span = lookup.span.to(clauses[-1][3])
        if isinstance(lookup, ast.CallExpr):
            keyword = clauses[0][1]
            self.emit(
                codes.MISSING_OVER.at(
                    self.place(keyword), f"`{keyword}` belongs to a lookup or to a window"
                )
                .help("write `over` and a window after the aggregate, as in `count() over 7d`")
                .fix("read all rows: `over all`", Edit.after(lookup.span, " over all"), safe=False)
            )
            return ast.BadExpr(span)
        found = self.once(clauses)
        return ast.LookupTime(lookup, found.get("within"), found.get("offset"), span)

    def lookup_clauses(self, c: Children) -> Children:
        pairs = zip(c[::2], c[1::2], strict=True)
        return [[str(word), word, self.duration_value(value), value.span] for word, value in pairs]

    # --- windows ---

    def past_window(self, c: Children) -> ast.WindowExpr:
        length, clauses = c
        if isinstance(length, ast.Name) and not clauses:
            return ast.NamedWindow(length.ident, length.span)
        found = self.suffixes(ast.PastWindow, clauses)
        span = self.extent(length.span, clauses)
        return ast.PastWindow(self.duration_value(length), **found, span=span)

    def next_window(self, c: Children) -> ast.PastWindow:
        keyword, length, clauses = c
        found = self.suffixes(ast.PastWindow, clauses)
        span = self.extent(self.between(keyword, length.span), clauses)
        return ast.PastWindow(self.duration_value(length), **found, forward=True, span=span)

    def all_window(self, c: Children) -> ast.AllWindow:
        keyword, clauses = c
        found = self.suffixes(ast.AllWindow, clauses)
        return ast.AllWindow(**found, span=self.extent(self.place(keyword), clauses))

    def edges_window(self, c: Children) -> ast.EdgesWindow:
        open_, far, _, near, close, clauses = c
        found = self.suffixes(ast.EdgesWindow, clauses)
        return ast.EdgesWindow(
            self.duration_value(far),
            self.duration_value(near),
            open_.type == "LSQB",
            close.type == "RSQB",
            **found,
            span=self.extent(self.between(open_, close), clauses),
        )

    def last_window(self, c: Children) -> ast.LastRowsWindow:
        keyword, rows, _, within, clauses = c
        self.suffixes(ast.LastRowsWindow, clauses)
        end = rows.span if within is None else within.span
        limit = self.duration_value(within) if within is not None else None
        return ast.LastRowsWindow(rows, limit, self.between(keyword, end))

    def since_last(self, c: Children) -> ast.SinceWindow:
        self.suffixes(ast.SinceWindow, c[5])
        return ast.SinceWindow(condition=c[3], span=self.between(c[0], c[4]))

    def since_calendar(self, c: Children) -> ast.SinceWindow:
        self.suffixes(ast.SinceWindow, c[5])
        unit, zone = self.lower_name(c[1]), self.string([c[3]])
        return ast.SinceWindow(unit, zone, span=self.between(c[0], c[4]))

    def session_window(self, c: Children) -> ast.SessionWindow:
        self.suffixes(ast.SessionWindow, c[3])
        span = self.between(c[0], c[2].span)
        return ast.SessionWindow(self.duration_value(c[2]), span)

    def window_clauses(self, c: Children) -> Children:
        return c

    def offset_clause(self, c: Children) -> Children:
        return ["offset", c[0], self.duration_value(c[1]), c[1].span]

    def every_clause(self, c: Children) -> Children:
        return ["every", c[0], self.duration_value(c[1]), c[1].span]

    def including_clause(self, c: Children) -> Children:
        return ["including", c[0], str(c[1]), self.place(c[1])]

    def suffixes(self, kind: Any, clauses: Children) -> dict[str, Any]:
        """Return the clauses of a window by name; one that its kind does not take is reported."""
        found = self.once(clauses)
        for word, keyword, *_ in clauses:
            if word in found and word not in _SUFFIXES[kind]:
                self.emit(
                    codes.UNEXPECTED_TOKEN.at(
                        self.place(keyword), f"`{word}` does not go with this window"
                    ).help(_suffix_help(kind))
                )
                del found[word]
        return found

    def extent(self, span: Span, clauses: Children) -> Span:
        """Return ``span`` widened to the end of the last clause."""
        return span.to(clauses[-1][3]) if clauses else span

    def duration_value(self, value: ast.Expr) -> ast.Expr:
        """Return ``value``; a bare whole number is reported as a duration without its unit."""
        if isinstance(value, ast.IntLit):
            days = f"{abs(value.value)}d" if value.value else "0s"
            sign = "-" if value.value < 0 else ""
            self.too_large.pop(value.span.start, None)
            self.emit(
                codes.MISSING_UNIT.at(value.span, f"{value.value} of what?")
                .help(f"add a unit: `{sign}{days}` for days, also w, h, m, s, ms, us")
                .fix(f"write `{sign}{days}`", Edit(value.span, sign + days), safe=False)
            )
            return ast.BadExpr(value.span)
        return value

    def version(self, token: Token | None) -> Any:
        """Return the number of ``@2``, None without one."""
        if token is None:
            return None
        number = Decimal(token[1:])
        if not 1 <= number <= 9999 or token[1] == "0":
            span = Span(self.path, token.start_pos, token.end_pos)
            self.emit(
                codes.BAD_NUMBER.at(span, "versions are numbered from 1 to 9999").help("as in `@2`")
            )
            return 1
        return int(number)


def _suffix_help(kind: Any) -> str:
    words = ", ".join(f"`{word}`" for word in _SUFFIXES[kind])
    if not words:
        return "remove it: only windows of a length of time take `offset`, `every` and `including`"
    return f"it takes only {words}" if len(_SUFFIXES[kind]) == 1 else f"it takes {words}"
