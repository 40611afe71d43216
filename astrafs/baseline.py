"""Known problems that are put up with: a list of them that survives edits elsewhere.

An entry names a problem by its code, the path of names to it (module, declaration, feature or
column) and the tokens of the logic it is in; not by lines, spaces, comments or order.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Sink
from astrafs.driver import module_name
from astrafs.record import dataclass
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.machine import machine
from astrafs.syntax.parse import parse_module

SCHEMA = "astrafs.baseline/1"
SUFFIX = ".afs"

Named = (
    ast.FeatureDecl
    | ast.ColumnDecl
    | ast.ComputedDecl
    | ast.KeyField
    | ast.ConstDecl
    | ast.WindowDecl
    | ast.FnDecl
    | ast.UnitDecl
)
"""What has a name and holds logic of its own, and nothing else that has a name."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A problem as the baseline knows it; ``logic`` is a digest, ``title`` is for people."""

    where: str
    code: str
    logic: str
    title: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a baseline leaves of a list of diagnostics."""

    shown: tuple[Diagnostic, ...]
    hidden: int
    stale: tuple[Entry, ...]


def entries(diagnostics: Iterable[Diagnostic], files: Mapping[str, SourceFile]) -> list[Entry]:
    """Return one entry per diagnostic, in their order."""
    trees = {path: _parsed(file) for path, file in files.items() if path.endswith(SUFFIX)}
    return [_entry(found, files, trees) for found in diagnostics]


def judge(
    diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile], known: Sequence[Entry]
) -> Judged:
    """Hide the diagnostics that ``known`` lists, each as often as it is listed.

    Internal and usage problems are never hidden.
    """
    left = Counter(_key(entry) for entry in known)
    shown = []
    for found, entry in zip(diagnostics, entries(diagnostics, files), strict=True):
        key = _key(entry)
        if left[key] > 0 and may_hide(found):
            left[key] -= 1
        else:
            shown.append(found)
    stale = []
    for entry in known:
        if left[_key(entry)] > 0:
            left[_key(entry)] -= 1
            stale.append(entry)
    return Judged(tuple(shown), len(diagnostics) - len(shown), tuple(stale))


def write(diagnostics: Iterable[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return the text of a baseline that hides ``diagnostics``."""
    known = sorted(entries((one for one in diagnostics if may_hide(one)), files))
    problems = [
        {"where": one.where, "code": one.code, "logic": one.logic, "title": one.title}
        for one in known
    ]
    return json.dumps({"schema": SCHEMA, "problems": problems}, indent=2, ensure_ascii=False) + "\n"


def read(name: str, text: str) -> tuple[Entry, ...]:
    """Return the entries of the baseline ``text``; raises where the file ``name`` is none."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise TypeError("it is no object")
        if document["schema"] != SCHEMA:
            raise ValueError(f"it has the schema `{document['schema']}`")
        return tuple(
            Entry(*(_string(one[part]) for part in ("where", "code", "logic", "title")))
            for one in document["problems"]
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        match error:
            case json.JSONDecodeError():
                reason = f"it is not JSON (line {error.lineno}, column {error.colno})"
            case KeyError():
                reason = f"`{error.args[0]}` is missing"
            case _:
                reason = str(error)
        raise AstrafsError(
            codes.BAD_BASELINE.nowhere(f"`{name}` is no baseline: {reason}").help(
                f"write it anew: `astrafs check --write-baseline {name}`"
            )
        ) from None


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{value}` is no string")
    return value


def may_hide(found: Diagnostic) -> bool:
    """Whether a baseline can list ``found``: not an internal problem, nor one of the command
    line.
    """
    return not found.code.id.startswith("AFS00")


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.where, entry.code, entry.logic


def _parsed(file: SourceFile) -> ast.Module:
    return parse_module(file, module_name(file.path), Sink())


def _entry(
    found: Diagnostic, files: Mapping[str, SourceFile], trees: Mapping[str, ast.Module]
) -> Entry:
    if found.primary is None:
        return Entry("", found.code.id, _digest(found.title), found.title)
    span = found.primary.span
    tree, file = trees.get(span.path), files.get(span.path)
    if file is None:
        return Entry(span.path, found.code.id, "", found.title)
    if tree is None:
        line = file.line_text(file.position(min(span.start, len(file.text)))[0])
        return Entry(span.path, found.code.id, _digest(" ".join(line.split())), found.title)
    names, node = _path(tree, span)
    place = node.span if isinstance(node, Named) else span
    where = f"{tree.name}:{'.'.join(names)}" if names else tree.name
    return Entry(where, found.code.id, _digest(_logic(file, place)), found.title)


def _path(tree: ast.Module, span: Span) -> tuple[list[str], object]:
    """Return the names on the way to ``span``, and the innermost node with one."""
    names: list[str] = []
    nodes: Sequence[object] = tree.declarations
    inner: object = tree
    while True:
        at = next((node for node in nodes if _holds(node, span)), None)
        if at is None:
            return names, inner
        name, nodes = _step(at)
        if name:
            names.append(name)
            inner = at


def _holds(node: object, span: Span) -> bool:
    place = getattr(node, "span", None)
    return isinstance(place, Span) and place.start <= span.start and span.end <= place.end


def _step(node: object) -> tuple[str, Sequence[object]]:
    """Return the name of a node, if it has one, and what it holds that can have names."""
    match node:
        case ast.FeatureDecl():
            return node.name.text + (f"@{node.version}" if node.version else ""), ()
        case ast.FeaturesDecl():
            return node.entity.text, node.items
        case ast.ForLoop() | ast.ViewLoop():
            return "", node.items
        case ast.ViewDecl():
            return node.name.text, node.items
        case ast.EntityDecl() | ast.RequestDecl():
            return node.name.text, node.fields
        case ast.SourceDecl() | ast.StreamDecl():
            return node.name.text, node.columns
        case ast.TestDecl():
            return node.title, ()
        case ast.DatasetDecl():
            return node.name.text, ()
        case _:
            return (node.name.text, ()) if isinstance(node, Named) else ("", ())


def _logic(file: SourceFile, span: Span) -> str:
    """Return the tokens of a place, without comments, whatever stands between them."""
    tokens = machine().scanner.scan(file.text[span.start : span.end])
    logic = " ".join(token for token in tokens if token.type != "COMMENT")
    return logic or " ".join(file.text[span.start : span.end].split())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
