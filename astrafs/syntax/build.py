"""From reductions to the surface tree: one method per grammar rule, called as the parser reduces
it.

``children`` are the symbols of the production in order, tokens included; an absent optional part
is None for each of
its symbols.
"""

from __future__ import annotations

from typing import Any

from astrafs.diagnostics.codes import syntax as codes
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.syntax.build_expr import ExprBuilder
from astrafs.syntax.token import Token

Children = list[Any]


class Builder(ExprBuilder):
    """Builds declarations; expressions, types and windows are in the base classes."""

    def module(self, c: Children) -> ast.Module:
        declarations = tuple(item for item in c if item is not None)
        whole = Span(self.path, 0, len(self.report.file.text))
        return ast.Module(self.module_name, self.path, declarations, whole)

    def bad_item(self, _: Children) -> None:
        return None

    # --- small declarations ---

    def use_path(self, c: Children) -> list[ast.Ident]:
        if len(c) == 1:
            return [self.any_name(c[0])]
        c[0].append(self.any_name(c[2]))
        path: list[ast.Ident] = c[0]
        return path

    def use(self, c: Children) -> ast.Use:
        keyword, path = c
        *module, name = path
        names: tuple[ast.Ident, ...] = (name,)
        if not module:
            self.emit(
                codes.USE_WITHOUT_NAME.at(path[0].span, "this is a whole module").help(
                    f"list what you use: `use {path[0].text}.{{first, second}}`"
                )
            )
            module, names = path, ()
        return ast.Use(tuple(module), names, self.between(keyword, name.span))

    def use_many(self, c: Children) -> ast.Use:
        return ast.Use(tuple(c[1]), c[4], self.between(c[0], c[5]))

    def names(self, c: Children) -> tuple[ast.Ident, ...]:
        return tuple(self.any_name(item) for item in c if item.type == "NAME")

    def owner(self, c: Children) -> ast.Owner:
        return ast.Owner(c[1].value, self.between(c[0], c[1]))

    def unit(self, c: Children) -> ast.UnitDecl:
        return ast.UnitDecl(self.lower_name(c[1]), self.between(c[0], c[1]))

    def const(self, c: Children) -> ast.ConstDecl:
        keyword, name, _, value = c
        span = self.between(keyword, value.span)
        return ast.ConstDecl(self.lower_name(name), value, None, self.doc(keyword), span)

    def typed_const(self, c: Children) -> ast.ConstDecl:
        keyword, name, _, type_, _, value = c
        span = self.between(keyword, value.span)
        return ast.ConstDecl(self.lower_name(name), value, type_, self.doc(keyword), span)

    def window_decl(self, c: Children) -> ast.WindowDecl:
        keyword, name, _, window = c
        span = self.between(keyword, window.span)
        return ast.WindowDecl(self.lower_name(name), window, self.doc(keyword), span)

    def fn(self, c: Children) -> ast.FnDecl:
        keyword, name, _, params, _, _, result, _, body = c
        span = self.between(keyword, body.span)
        ident = self.lower_name(name)
        return ast.FnDecl(ident, params, result, body, self.doc(keyword), span)

    def params(self, c: Children) -> tuple[ast.Param, ...]:
        return tuple(item for item in c if isinstance(item, ast.Param))

    def param(self, c: Children) -> ast.Param:
        return ast.Param(self.lower_name(c[0]), c[2], self.between(c[0], c[2].span))

    # --- entities, requests, sources, streams ---

    def entity(self, c: Children) -> ast.EntityDecl:
        keyword, name, _, fields, close = c
        span = self.between(keyword, close)
        return ast.EntityDecl(self.entity_name(name), fields, self.doc(keyword), span)

    def request(self, c: Children) -> ast.RequestDecl:
        keyword, name, _, rows, _, fields, close = c
        span = self.between(keyword, close)
        base = self.lower_name(rows) if rows is not None else None
        return ast.RequestDecl(self.entity_name(name), fields, base, self.doc(keyword), span)

    def fields(self, c: Children) -> tuple[ast.KeyField, ...]:
        return tuple(item for item in c if isinstance(item, ast.KeyField))

    def key_field(self, c: Children) -> ast.KeyField:
        span = self.between(c[0], c[2].span)
        return ast.KeyField(self.lower_name(c[0]), c[2], self.doc(c[0]), span)

    def source(self, c: Children) -> ast.SourceDecl:
        keyword, name, clauses, _, items, close = c
        found = self.once(clauses)
        key = found.get("key", ())
        known, ahead = found.get("known", (None, False))
        return ast.SourceDecl(
            name=self.lower_name(name),
            table=keyword.type == "TABLE",
            location=found.get("from"),
            key=key,
            time=found.get("time"),
            known=known,
            ahead=ahead,
            delay=found.get("delay"),
            retention=found.get("retention"),
            max_age=found.get("max_age"),
            static=found.get("static"),
            revisions="revisions" in found,
            deleted=found.get("revisions"),
            columns=tuple(item for item in items if isinstance(item, ast.ColumnDecl)),
            expects=tuple(item for item in items if isinstance(item, ast.Expect)),
            doc=self.doc(keyword),
            span=self.between(keyword, close),
        )

    def source_clauses(self, c: Children) -> Children:
        return c

    def source_items(self, c: Children) -> Children:
        return c

    def from_location(self, c: Children) -> Children:
        patterns = tuple(self.string([item]) for item in c if item.type == "STRING")
        location = ast.Location(self.lower_name(c[1]), patterns, self.between(c[1], c[-1]))
        return ["from", c[0], location]

    def key_clause(self, c: Children) -> Children:
        names = tuple(self.lower_name(item) for item in c[1:] if item.type == "NAME")
        return ["key", c[0], names]

    def time_clause(self, c: Children) -> Children:
        return ["time", c[0], self.lower_name(c[1]), self.place(c[1])]

    def known_clause(self, c: Children) -> Children:
        return ["known", c[0], (self.lower_name(c[1]), c[2] is not None)]

    def delay_clause(self, c: Children) -> Children:
        return ["delay", c[0], self.duration_value(c[1])]

    def retention_clause(self, c: Children) -> Children:
        return ["retention", c[0], self.duration_value(c[1])]

    def max_age_clause(self, c: Children) -> Children:
        return ["max_age", c[0], self.duration_value(c[1])]

    def static_clause(self, c: Children) -> Children:
        return ["static", c[0], self.string([c[1]])]

    def revisions_clause(self, c: Children) -> Children:
        return ["revisions", c[0], self.lower_name(c[2]) if c[2] is not None else None]

    def column(self, c: Children) -> ast.ColumnDecl:
        name, _, type_, clauses = c
        found = self.once(clauses)
        end = clauses[-1][3] if clauses else type_.span
        return ast.ColumnDecl(
            name=self.lower_name(name),
            type=type_,
            zone=found.get("in"),
            physical=found.get("from"),
            settles=found.get("settles"),
            known=found.get("known"),
            tags=found.get("tags", ()),
            doc=self.doc(name),
            span=self.between(name, end),
        )

    def column_clauses(self, c: Children) -> Children:
        return c

    def column_zone(self, c: Children) -> Children:
        return ["in", c[0], self.string([c[1]]), self.place(c[1])]

    def column_physical(self, c: Children) -> Children:
        return ["from", c[0], self.string([c[1]]), self.place(c[1])]

    def column_settles(self, c: Children) -> Children:
        return ["settles", c[0], self.duration_value(c[1]), c[1].span]

    def column_known(self, c: Children) -> Children:
        return ["known", c[0], self.lower_name(c[1]), self.place(c[1])]

    def column_tags(self, c: Children) -> Children:
        return ["tags", c[0], self.texts(c[1:]), self.place(c[-1])]

    def expect(self, c: Children) -> ast.Expect:
        return ast.Expect(c[1], self.between(c[0], c[1].span))

    def stream(self, c: Children) -> ast.StreamDecl:
        keyword, name, clauses, block = c
        found = self.once(clauses)
        base = found.get("from")
        if base is None:
            self.emit(
                codes.MISSING_CLAUSE.at(
                    self.place(name), "this stream does not say what it is made from"
                ).help("add `from` and the name of a source or stream")
            )
        columns, close = block or ((), None)
        end = self.place(close or name)
        for clause in clauses:
            end = end.to(clause[3])
        union = base if isinstance(base, tuple) else ()
        return ast.StreamDecl(
            name=self.lower_name(name),
            base=None if isinstance(base, tuple) else base,
            union=union,
            time=found.get("time"),
            where=found.get("where"),
            columns=columns,
            doc=self.doc(keyword),
            span=self.between(keyword, end),
        )

    def stream_clauses(self, c: Children) -> Children:
        return c

    def from_base(self, c: Children) -> Children:
        return ["from", c[0], self.lower_name(c[1]), self.place(c[1])]

    def from_union(self, c: Children) -> Children:
        return ["from", c[0], c[3], self.place(c[4])]

    def where_clause(self, c: Children) -> Children:
        return ["where", c[0], c[1], c[1].span]

    def stream_block(self, c: Children) -> tuple[tuple[ast.ComputedDecl, ...], Token]:
        return tuple(item for item in c if isinstance(item, ast.ComputedDecl)), c[-1]

    def computed(self, c: Children) -> ast.ComputedDecl:
        name, _, type_, _, value = c
        span = self.between(name, value.span)
        return ast.ComputedDecl(self.lower_name(name), type_, value, self.doc(name), span)

    # --- features, labels, views ---

    def features(self, c: Children) -> ast.FeaturesDecl:
        keyword, _, entity, _, rows, by, _, where, _, items, close = c
        return ast.FeaturesDecl(
            entity=self.entity_name(entity),
            rows=self.lower_name(rows) if rows is not None else None,
            by=by or (),
            where=where,
            items=items,
            labels=keyword.type == "LABELS",
            span=self.between(keyword, close),
        )

    labels = features

    def by_clause(self, c: Children) -> tuple[ast.Ident, ...]:
        return tuple(self.lower_name(item) for item in c[1:] if item.type == "NAME")

    def feature_items(self, c: Children) -> tuple[ast.FeatureItem, ...]:
        return tuple(item for item in c if item is not None)

    def feature(self, c: Children) -> ast.FeatureDecl:
        annotations, name, version, _, type_, _, value = c
        first = annotations[0].span if annotations else self.place(name)
        doc = self.doc(name)
        if annotations:
            doc = self.doc_at(first.start) or doc
        return ast.FeatureDecl(
            name=self.lower_name(name),
            version=self.version(version),
            type=type_,
            value=value,
            doc=doc,
            annotations=annotations,
            span=first.to(value.span),
        )

    def annotations(self, c: Children) -> tuple[ast.Annotation, ...]:
        return tuple(c)

    def annotation(self, c: Children) -> ast.Annotation:
        mark, _, args, close = c
        at = mark.start_pos
        name = ast.Ident(mark[1:], Span(self.path, at + 1, mark.end_pos))
        given = args or ()
        return ast.Annotation(
            name,
            tuple(one for one in given if isinstance(one, str)),
            tuple(one for one in given if isinstance(one, ast.NamedArg)),
            self.between(mark, close or mark),
        )

    def annotation_args(self, c: Children) -> Children:
        return [item for item in c if not isinstance(item, Token)]

    def annotation_arg(self, c: Children) -> str:
        text: str = c[0].value
        return text

    def named_arg(self, c: Children) -> ast.NamedArg:
        span = self.between(c[0], c[2])
        return ast.NamedArg(self.any_name(c[0]), self.string([c[2]]), span)

    def feature_loop(self, c: Children) -> ast.ForLoop:
        keyword, variable, _, values, _, items, close = c
        span = self.between(keyword, close)
        return ast.ForLoop(self.lower_name(variable), values.items, items, span)

    def view(self, c: Children) -> ast.ViewDecl:
        keyword, name, _, entity, forbids, _, items, close = c
        return ast.ViewDecl(
            self.lower_name(name),
            self.entity_name(entity),
            items,
            forbids or (),
            self.doc(keyword),
            self.between(keyword, close),
        )

    def forbid(self, c: Children) -> tuple[str, ...]:
        return self.texts(c[2:])

    def texts(self, c: Children) -> tuple[str, ...]:
        """Return the values of the texts among tokens, each once, sorted."""
        return tuple(sorted({item.value for item in c if item.type == "STRING"}))

    def view_items(self, c: Children) -> tuple[ast.ViewItem | ast.ViewLoop, ...]:
        return tuple(item for item in c if item is not None)

    def view_item(self, c: Children) -> ast.ViewItem:
        value, _, alias = c
        if alias is None:
            return ast.ViewItem(value, None, value.span)
        return ast.ViewItem(value, self.lower_name(alias), self.between(value.span, alias))

    def view_loop(self, c: Children) -> ast.ViewLoop:
        keyword, variable, _, values, _, items, close = c
        span = self.between(keyword, close)
        return ast.ViewLoop(self.lower_name(variable), values.items, items, span)

    # --- datasets and tests ---

    def dataset(self, c: Children) -> ast.DatasetDecl:
        keyword, name, _, view, clauses = c
        labels = tuple(clause[2] for clause in clauses if clause[0] == "label")
        found = self.once([clause for clause in clauses if clause[0] != "label"])
        train, test = found.get("split", (None, None))
        spine, by = found.get("spine", (None, ()))
        end = clauses[-1][3] if clauses else self.place(view)
        return ast.DatasetDecl(
            name=self.lower_name(name),
            view=self.lower_name(view),
            spine=spine,
            by=by,
            labels=labels,
            train_before=train,
            test_from=test,
            doc=self.doc(keyword),
            span=self.between(keyword, end),
        )

    def dataset_clauses(self, c: Children) -> Children:
        return c

    def spine_clause(self, c: Children) -> Children:
        by = c[2] or ()
        end = by[-1].span if by else self.place(c[1])
        return ["spine", c[0], (self.lower_name(c[1]), by), end]

    def label_clause(self, c: Children) -> Children:
        item = self.view_item(c[1:])
        return ["label", c[0], item, item.span]

    def split_clause(self, c: Children) -> Children:
        return ["split", c[0], (c[3], c[7]), c[7].span]

    def test(self, c: Children) -> ast.TestDecl:
        keyword, title, _, items, close = c
        return ast.TestDecl(
            title.value,
            tuple(item for item in items if isinstance(item, ast.TestRows)),
            tuple(item for item in items if isinstance(item, ast.TestExpect)),
            self.place(title),
            self.between(keyword, close),
        )

    def test_items(self, c: Children) -> Children:
        return c

    def test_rows(self, c: Children) -> ast.TestRows:
        rows = tuple(item for item in c[1:] if isinstance(item, ast.TestRow))
        return ast.TestRows(self.any_name(c[0]), rows, self.between(c[0], c[-1]))

    def test_row(self, c: Children) -> ast.TestRow:
        values = tuple(item for item in c if isinstance(item, tuple))
        return ast.TestRow(values, self.between(c[0], c[-1]))

    def test_value(self, c: Children) -> tuple[ast.Ident, ast.Expr]:
        return self.lower_name(c[0]), c[2]

    def test_expect(self, c: Children) -> ast.TestExpect:
        keyword, value, _, at, _, as_of, compare, expected = c
        place = self.place(compare)
        span = self.between(keyword, expected.span)
        return ast.TestExpect(value, at, as_of, str(compare), expected, place, span)
