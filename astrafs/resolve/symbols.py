"""Symbols: what each name of a project means and where it was declared. Editors read these tables
as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum

from astrafs.plan.ir import FeatureId
from astrafs.record import dataclass
from astrafs.resolve.repeats import Repeats
from astrafs.source import Span
from astrafs.syntax import ast

NamedDecl = (
    ast.EntityDecl
    | ast.RequestDecl
    | ast.SourceDecl
    | ast.StreamDecl
    | ast.UnitDecl
    | ast.ConstDecl
    | ast.WindowDecl
    | ast.FnDecl
    | ast.ViewDecl
    | ast.DatasetDecl
)
"""Declarations that put a name into their module."""


class SymbolKind(StrEnum):
    """What a name stands for; the value is the word for it in messages."""

    ENTITY = "entity"
    REQUEST = "request"
    SOURCE = "source"
    TABLE = "table"
    STREAM = "stream"
    UNIT = "unit"
    CONST = "const"
    WINDOW = "window"
    FN = "fn"
    VIEW = "view"
    DATASET = "dataset"


ENTITIES = (SymbolKind.ENTITY, SymbolKind.REQUEST)
ROWS = (SymbolKind.SOURCE, SymbolKind.STREAM)


def with_article(noun: str) -> str:
    """Return ``noun`` with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that a module declares; ``span`` is the name where it is declared."""

    kind: SymbolKind
    name: str
    module: str
    span: Span
    declaration: NamedDecl

    @property
    def qualified(self) -> str:
        """The name as it stands in plans: ``module.name``."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class FeatureSymbol:
    """One version of one feature, after expansion of its templates.

    ``loops`` are the loop variables around it with their values; ``expansion`` prints them (``w =
    7d``).
    """

    id: FeatureId
    module: str
    declaration: ast.FeatureDecl
    block: ast.FeaturesDecl
    loops: Mapping[str, ast.Expr]
    expansion: str
    doc: str
    owner: str
    tags: tuple[str, ...] | None
    """The author's own; None where there are none and those of what it reads count."""
    deprecated: str
    remove_after: str = ""
    """The ISO date of the last day on which a deprecated version may still be used."""

    @property
    def span(self) -> Span:
        """The name where the feature is declared."""
        return self.declaration.name.span


class Lost:
    """Names that the text which a syntax error cost seems to declare."""

    _DECLARED = re.compile(
        r"\b(?:source|table|stream|entity|request|unit|const|window|fn|view)\s{1,99}`?(\w{1,200})"
    )
    # Every repetition has a bound, and starts only where a word does: the text may be anything.
    _FIELD = re.compile(r"(?<![\w{}])([\w{}]{1,200})`?\s{0,9}(?:@\s?\d{1,9}\s{0,9})?:")
    _PLACEHOLDER = re.compile(r"(?:\{\w*\})+")
    _MOST_PLACEHOLDERS = 3

    def __init__(self, text: str) -> None:
        names = {*self._DECLARED.findall(text), *self._FIELD.findall(text)}
        self._plain = frozenset(name for name in names if "{" not in name and "}" not in name)
        patterns = map(self._pattern, sorted(names - self._plain))
        self._made = re.compile("|".join(name for name in patterns if "{" not in name) or r"(?!)")

    @classmethod
    def _pattern(cls, name: str) -> str:
        """Return the expression for what a template may make of ``name``, loose where it has many
        variables.
        """
        fixed = cls._PLACEHOLDER.split(name)
        loose = r"\w*" if len(fixed) > cls._MOST_PLACEHOLDERS + 1 else ""
        return r"\w+".join(fixed[: cls._MOST_PLACEHOLDERS + 1]) + loose

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            name in self._plain or self._made.fullmatch(name) is not None
        )


@dataclass(slots=True)
class Import:
    """A name that a ``use`` line brings in; ``symbol`` is None for features and unknown names."""

    name: str
    span: Span
    module: str
    symbol: Symbol | None
    features: bool = False
    used: bool = False


@dataclass(slots=True)
class ModuleScope:
    """The names of one module: its own, those it imports, and its features by entity and name."""

    name: str
    tree: ast.Module
    owner: str = ""
    own: dict[str, Symbol] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    feature_names: dict[str, set[str]] = field(default_factory=dict)
    """Names of the features declared here, each with the entities that have one."""
    lost: Lost | None = None
    """Names whose declarations a syntax error may have cost; None for a file without one."""

    def find(self, name: str) -> Symbol | None:
        """Return the symbol that ``name`` means here, and mark its import as used."""
        own = self.own.get(name)
        if own is not None:
            return own
        imported = self.imports.get(name)
        if imported is None:
            return None
        imported.used = True
        return imported.symbol

    def is_broken(self, name: str) -> bool:
        """Whether ``name`` comes from a ``use`` line that failed; its uses stay silent."""
        imported = self.imports.get(name)
        if imported is None:
            return name not in self.own and self.lost is not None and name in self.lost
        if imported.symbol is not None or imported.features:
            return False
        imported.used = True
        return True

    def visible(self, kinds: tuple[SymbolKind, ...]) -> Iterator[str]:
        """Yield the names of the given kinds that can be written here."""
        for name, symbol in self.own.items():
            if symbol.kind in kinds:
                yield name
        for name, imported in self.imports.items():
            if imported.symbol is not None and imported.symbol.kind in kinds:
                yield name


Versions = dict[int, FeatureSymbol]


@dataclass(slots=True)
class Symbols:
    """All names of a project: modules by name, features by entity, name and version."""

    modules: dict[str, ModuleScope] = field(default_factory=dict)
    features: dict[str, dict[str, Versions]] = field(default_factory=dict)
    repeats: Repeats = field(default_factory=Repeats)
    compared: int = 0
    """How many names were compared for did-you-mean, which thousands of typos do not all get."""
    unnamed: dict[str, Lost] = field(default_factory=dict)
    """What features might be called whose templates do not expand to a name."""
    guessed: bool = False
    """Whether a missing name was passed over because a damaged file, any one, may declare it."""

    def is_lost(self, name: str) -> bool:
        """Whether a syntax error somewhere may have cost the declaration of ``name``."""
        lost = any(scope.lost is not None and name in scope.lost for scope in self.modules.values())
        lost = lost or any(name in unnamed for unnamed in self.unnamed.values())
        self.guessed |= lost
        return lost

    def all_features(self) -> Iterator[FeatureSymbol]:
        """Yield every feature version, by entity, name and version."""
        for _, names in sorted(self.features.items()):
            for _, versions in sorted(names.items()):
                for _, symbol in sorted(versions.items()):
                    yield symbol

    def latest(self, entity: str, name: str) -> FeatureSymbol | None:
        """Return the latest active version of a feature: the highest that is not deprecated, if any
        is.
        """
        versions = self.features.get(entity, {}).get(name)
        if not versions:
            return None
        active = [version for version, symbol in versions.items() if not symbol.deprecated]
        return versions[max(active or versions)]
