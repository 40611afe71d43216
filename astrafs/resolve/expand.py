"""Expanding ``features`` blocks: templates, versions, annotations, descriptions, owners."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import assert_never

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.model import Diagnostic, Edit, Sink
from astrafs.plan.ir import FeatureId
from astrafs.record import dataclass
from astrafs.resolve.collect import suggest
from astrafs.resolve.lookup import resolve_name
from astrafs.resolve.symbols import (
    ENTITIES,
    FeatureSymbol,
    Lost,
    ModuleScope,
    Symbol,
    SymbolKind,
    Symbols,
)
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.syntax.literals import Literal, read_numeric

Loops = Mapping[str, ast.Expr]

MAX_FEATURES = 10_000
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")
_CONST_HOPS = 64


@dataclass(slots=True)
class TemplateSink(Sink):
    """A sink for templates: one message per cause and place, however many expansions have it."""

    target: Sink = field(default_factory=Sink)
    expansion: str = ""
    _seen: set[tuple[str, Span | None]] = field(default_factory=set)

    def emit(self, diagnostic: Diagnostic) -> None:
        """Pass ``diagnostic`` on with its expansion, unless its place has it already."""
        if not self.expansion:
            self.target.emit(diagnostic)
            return
        key = (diagnostic.code.id, diagnostic.primary.span if diagnostic.primary else None)
        if key not in self._seen:
            self._seen.add(key)
            self.target.emit(diagnostic.note(f"in the expansion with {self.expansion}"))


def value_text(value: ast.Expr) -> str | None:
    """Return how a loop value reads inside a name, or None if it cannot stand there."""
    match value:
        case ast.DurationLit():
            return value.text
        case ast.IntLit():
            return str(value.value)
        case ast.StringLit():
            return value.value
        case ast.NumberLit():
            return value.text
        case _:
            return None


def loop_text(loops: Loops) -> str:
    """Print loop variables with their values: ``w = 7d, n = 3``."""
    return ", ".join(f"{name} = {value_text(value)}" for name, value in loops.items())


def fill(text: str, loops: Loops) -> str:
    """Replace the placeholders of ``text`` that are loop variables."""
    if "{" not in text:
        return text

    def swap(match: re.Match[str]) -> str:
        value = loops.get(match[1])
        return match[0] if value is None else value_text(value) or match[0]

    return _PLACEHOLDER.sub(swap, text)


def filled(ident: ast.Ident, loops: Loops, sink: Sink) -> ast.Ident | None:
    """Return ``ident`` with its placeholders replaced; reports a name that this does not give."""
    text = ident.text
    if "{" not in text:
        return ident
    name = fill(text, loops)
    unknown = _PLACEHOLDER.search(name)
    if unknown is not None:
        found = codes.UNKNOWN_NAME.at(
            ident.span,
            f"`{{{unknown[1]}}}` is not a variable of a `for` around it",
            title=f"unknown loop variable `{unknown[1]}`",
        )
        sink.emit(found.help(_variables(loops)))
        return None
    if not _IDENTIFIER.match(name):
        sink.emit(
            codes.BAD_TEMPLATE.at(ident.span, f"gives `{name}`").help(
                "a name is a lower-case letter and up to 47 more letters, digits and `_`; "
                "use loop values that fit into one"
            )
        )
        return None
    return ast.Ident(name, ident.span)


def _variables(loops: Loops) -> str:
    if not loops:
        return "there is no `for` around it"
    return "the variables here are " + ", ".join(f"`{name}`" for name in loops)


def loop_values(
    values: tuple[ast.Expr, ...], loops: Loops, scope: ModuleScope, sink: Sink
) -> Iterator[ast.Expr]:
    """Yield the literals that a ``for`` runs over; reports and skips what is not constant."""
    if not values:
        return
    for value in values:
        literal = constant_literal(value, loops, scope)
        if literal is not None:
            yield literal
        elif not isinstance(value, ast.BadExpr):
            sink.emit(
                codes.BAD_TEMPLATE.at(
                    value.span,
                    "not a duration, number or string known when compiling",
                    title="a `for` runs over constants",
                ).help('write literals, such as `[1h, 7d]`, `[1, 2]` or `["eur", "usd"]`')
            )


def constant_literal(value: ast.Expr, loops: Loops, scope: ModuleScope) -> ast.Expr | None:
    """Follow names of loops and constants until a duration, number or string literal."""
    for _ in range(_CONST_HOPS):
        match value:
            case ast.DurationLit() | ast.IntLit() | ast.StringLit() | ast.NumberLit():
                return value
            case ast.Name(ident=ident) if ident.text in loops:
                value = loops[ident.text]
            case ast.Name(ident=ident):
                symbol = scope.find(ident.text)
                if symbol is None or not isinstance(symbol.declaration, ast.ConstDecl):
                    return None
                value, loops = symbol.declaration.value, {}
            case _:
                return None
    return None


@dataclass(slots=True)
class _Block:
    """The block being expanded."""

    scope: ModuleScope
    entity: Symbol
    tree: ast.FeaturesDecl


@dataclass(slots=True)
class Expander:
    """Expands all blocks of a project into ``symbols.features``."""

    symbols: Symbols
    sink: Sink
    count: int = 0
    full: bool = False
    folded: dict[tuple[str, str], FeatureSymbol] = field(default_factory=dict)
    _templates: TemplateSink = field(default_factory=TemplateSink)

    def expand_all(self) -> None:
        """Expand every ``features`` block, then check the ``use`` lines that name features."""
        self._templates.target = self.sink
        for scope in self.symbols.modules.values():
            for tree in scope.tree.declarations:
                if isinstance(tree, ast.FeaturesDecl):
                    self._expand_block(scope, tree)
            self._check_owner(scope)
        for scope in self.symbols.modules.values():
            self._check_imports(scope)

    def _expand_block(self, scope: ModuleScope, tree: ast.FeaturesDecl) -> None:
        kinds = (SymbolKind.ENTITY,) if tree.labels else ENTITIES  # a request has no future
        entity = resolve_name(scope, tree.entity, kinds, self.symbols, self.sink)
        if entity is None:
            return
        block = _Block(scope, entity, tree)
        word = "label" if tree.labels else "feature"
        if not tree.items and scope.lost is None:
            self.sink.emit(
                codes.EMPTY_BLOCK.at(
                    tree.entity.span,
                    f"no {word} follows",
                    title=f"the block has no {word}s",
                ).help(f"declare a {word} in it, or remove the block")
            )
        self._expand_items(block, tree.items, {})

    def _expand_items(
        self, block: _Block, items: tuple[ast.FeatureItem, ...], loops: dict[str, ast.Expr]
    ) -> None:
        for item in items:
            if loops and self.symbols.repeats.exhausted(item.span, self.sink):
                self.full = True
            if self.full:
                return
            match item:
                case ast.FeatureDecl():
                    self._expand_feature(block, item, loops)
                case ast.ForLoop():
                    self._expand_loop(block, item, loops)
                case _:
                    assert_never(item)

    def _expand_loop(self, block: _Block, loop: ast.ForLoop, loops: dict[str, ast.Expr]) -> None:
        name = loop.variable.text
        if name in loops:
            self.sink.emit(
                codes.DUPLICATE_NAME.at(
                    loop.variable.span,
                    "already a variable of a `for` around this one",
                    title=f"`{name}` is declared twice",
                ).help("rename one of them")
            )
            return
        if not loop.items or not loop.values:
            self.sink.emit(
                codes.EMPTY_BLOCK.at(
                    loop.variable.span,
                    "nothing to repeat" if not loop.items else "nothing to run over",
                    title="a `for` that declares nothing",
                ).help("remove it, or fill it")
            )
            return
        for value in loop_values(loop.values, loops, block.scope, self.sink):
            self._expand_items(block, loop.items, {**loops, name: value})

    def _expand_feature(
        self, block: _Block, tree: ast.FeatureDecl, loops: dict[str, ast.Expr]
    ) -> None:
        if not tree.name.text:
            return
        self.count += 1
        expansion = loop_text(loops)
        self._templates.expansion = expansion
        name = filled(tree.name, loops, self._templates)
        if name is None and self.count <= MAX_FEATURES:
            if tree.name.text not in self.symbols.unnamed:
                self.symbols.unnamed[tree.name.text] = Lost(f"{tree.name.text}:")
            return
        if self.count > MAX_FEATURES:
            self.full = True
            self.sink.emit(
                codes.TOO_LARGE.at(
                    tree.name.span,
                    f"this would be feature number {self.count:,}",
                    title=f"a project has at most {MAX_FEATURES:,} features",
                ).help("split the project")
            )
            return
        assert name is not None
        annotations = read_annotations(tree.annotations, self.sink)
        symbol = FeatureSymbol(
            FeatureId(block.entity.qualified, name.text, tree.version or 1),
            block.scope.name,
            tree,
            block.tree,
            loops,
            expansion,
            fill(tree.doc, loops),
            annotations.owner or block.scope.owner,
            annotations.tags,
            annotations.deprecated,
            annotations.remove_after,
        )
        self._check_hygiene(symbol)
        self._declare(block, symbol)

    def _check_hygiene(self, symbol: FeatureSymbol) -> None:
        if not symbol.doc.strip():
            stub = f"## Say what `{symbol.declaration.name.text}` is.\n  "
            self._templates.emit(
                codes.MISSING_DOC.at(symbol.span, "nothing says what this is")
                .help("describe it in a line above that starts with `##`")
                .fix(
                    "add a line for the description",
                    Edit.before(symbol.declaration.span, stub),
                    safe=False,
                )
            )

    def _declare(self, block: _Block, symbol: FeatureSymbol) -> None:
        entity, name, version = symbol.id.entity, symbol.id.name, symbol.id.version
        for part in getattr(block.entity.declaration, "fields", ()):
            if part.name.text.casefold() == name.casefold():
                self._templates.emit(
                    codes.DUPLICATE_NAME.at(
                        symbol.span,
                        "declared as a feature here",
                        title=f"`{name}` is already a name of `{block.entity.name}`",
                    )
                    .label(part.name.span, "already declared here")
                    .help("rename the feature")
                )
                return
        first = self.folded.setdefault((entity, name.casefold()), symbol)
        versions = self.symbols.features.setdefault(entity, {}).setdefault(name, {})
        if first.id.name == name and version in versions:
            first = versions[version]
        elif first.id.name == name:
            versions[version] = symbol
            block.scope.feature_names.setdefault(name, set()).add(entity)
            return
        self._templates.emit(
            codes.DUPLICATE_NAME.at(
                symbol.span,
                "declared again here" if first.id.name == name else "differs only in letter case",
                title=f"feature `{symbol.id.name}` of `{block.entity.name}` is declared twice",
            )
            .label(first.span, "first declared here")
            .help(f"rename one, or make it a new version: `{name}@{version + 1}: ...`")
        )

    def _check_owner(self, scope: ModuleScope) -> None:
        if scope.owner:
            return
        for names in scope.feature_names:
            for entity in sorted(scope.feature_names[names]):
                for symbol in self.symbols.features[entity][names].values():
                    if symbol.module == scope.name and not symbol.owner:
                        top = Span(symbol.span.path, 0, 0)
                        self.sink.emit(
                            codes.MISSING_OWNER.at(symbol.span, "nobody answers for this")
                            .help(
                                'begin the file with `owner "team@company.example"`, '
                                "or write `@owner(...)` above the feature"
                            )
                            .fix(
                                "add a line for the owner",
                                Edit(top, 'owner "team@company.example"\n\n'),
                                safe=False,
                            )
                        )
                        return

    def _check_imports(self, scope: ModuleScope) -> None:
        for imported in scope.imports.values():
            target = self.symbols.modules.get(imported.module)
            if not imported.features or target is None:
                continue
            if imported.name in target.feature_names or self.full:
                continue
            imported.features = False
            found = codes.UNKNOWN_IMPORT.at(
                imported.span,
                "not declared there",
                title=f"module `{target.name}` has no `{imported.name}`",
            )
            if imported.name in target.imports:
                origin = target.imports[imported.name].module
                sink_help = f"`{target.name}` imports it itself: `use {origin}.{{{imported.name}}}`"
                self.sink.emit(found.help(sink_help))
            else:
                known = {**dict.fromkeys(target.feature_names), **target.own}
                self.sink.emit(suggest(found, imported.name, known, imported.span))


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the ``@`` lines above a feature say."""

    owner: str = ""
    tags: tuple[str, ...] | None = None
    deprecated: str = ""
    remove_after: str = ""


def read_annotations(annotations: tuple[ast.Annotation, ...], sink: Sink) -> Annotations:
    """Read ``@owner("x")``, ``@tags("a", "b")`` and ``@deprecated("why", remove_after="DATE")``."""
    owner, deprecated, remove_after = "", "", ""
    tags: tuple[str, ...] | None = None
    seen: dict[str, Span] = {}
    for annotation in annotations:
        name = annotation.name.text
        if name in seen:
            sink.emit(
                codes.BAD_ANNOTATION.at(
                    annotation.span, "a second time", title=f"`@{name}` is written twice"
                ).label(seen[name], "first here")
            )
            continue
        seen[name] = annotation.span
        for given in annotation.named:
            if name == "deprecated" and given.name.text == _REMOVE_AFTER:
                remove_after = _date(given, sink)
            elif name in _ANNOTATIONS:
                _report_argument(given, name, sink)
        match name:
            case "owner" if _one_text(annotation, sink):
                owner = annotation.args[0]
            case "deprecated" if _one_text(annotation, sink):
                deprecated = annotation.args[0]
            case "owner" | "deprecated":
                pass
            case "tags":
                tags = tuple(sorted(set(annotation.args)))
            case _:
                found = codes.BAD_ANNOTATION.at(
                    annotation.name.span, "not known", title=f"unknown annotation `@{name}`"
                )
                sink.emit(suggest(found, name, _ANNOTATIONS, annotation.name.span))
    return Annotations(owner, tags, deprecated, remove_after)


_ANNOTATIONS = ("owner", "tags", "deprecated")
_REMOVE_AFTER = "remove_after"


def _date(given: ast.NamedArg, sink: Sink) -> str:
    """Return the ISO date that an argument gives, an empty text after reporting another."""
    text = given.value.value
    if _DATE.fullmatch(text) and isinstance(read_numeric(text), Literal):
        return text
    sink.emit(
        codes.BAD_ANNOTATION.at(
            given.value.span, "a date is wanted", title=f"`{_REMOVE_AFTER}` is no date"
        ).help(f'write year, month and day: `{_REMOVE_AFTER}="2027-01-31"`')
    )
    return ""


def _report_argument(given: ast.NamedArg, annotation: str, sink: Sink) -> None:
    wanted = f'`@deprecated("use x", {_REMOVE_AFTER}="2027-01-31")`'
    sink.emit(
        codes.BAD_ANNOTATION.at(
            given.name.span,
            "not known",
            title=f"`@{annotation}` takes no argument `{given.name.text}`",
        ).help(f"the one argument with a name is that of {wanted}")
    )


def _one_text(annotation: ast.Annotation, sink: Sink) -> bool:
    if len(annotation.args) == 1 and annotation.args[0].strip():
        return True
    sink.emit(
        codes.BAD_ANNOTATION.at(
            annotation.span,
            "one text is wanted",
            title=f"`@{annotation.name.text}` takes one text",
        )
    )
    return False


__all__ = ["Expander", "SymbolKind", "TemplateSink", "constant_literal", "fill", "filled"]
