"""``astrafs.lock``: what every feature version meant when it was locked. Text in, text out.

The file is TOML: one table per source and per feature version, sorted by name and apart by a blank
line, lists one item to a line, so that changes on two branches merge where they touch different
features.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.graph import dependencies, plan_order, stream_expressions, subexpressions
from astrafs.plan.identity import (
    DEFINITION_DIGITS,
    IDENTITY_VERSION,
    definition_digests,
    kept_name,
    plan_identities,
)
from astrafs.record import dataclass
from astrafs.source import SourceFile, Span

FILE_NAME = "astrafs.lock"
LOCK_VERSION = 2
EDITION = "2026"
"""The edition of the language; raised when a program may mean something else under a new one."""

ACTIVE, DEPRECATED, REMOVED = "active", "deprecated", "removed"
STATUSES = (ACTIVE, DEPRECATED, REMOVED)

_HEAD = (
    "# What every feature version means. Written by `astrafs apply`; keep it in version control."
)
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(rf"[0-9a-f]{{{DEFINITION_DIGITS}}}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Locked:
    """One feature version as locked.

    ``created`` is the ISO date of its first lock, ``ended`` that of its removal (empty before).
    ``status`` is one of :data:`STATUSES`, ``deprecated`` the author's advice, ``remove_after`` the
    ISO date of the last day of use. ``reads`` holds what
    it reads directly, names with identities. ``sources`` are the names of the sources and tables
    behind its own expression, in its order: two of one form have one identity. ``definition`` tells
    those apart: of two versions of one identity it is the same iff all that they read has the same
    names (empty in the files of earlier versions).
    """

    feature: ir.FeatureId
    identity: str
    type: str
    owner: str
    doc: str
    tags: tuple[str, ...]
    created: str
    status: str
    deprecated: str
    reads: tuple[tuple[str, str], ...]
    ended: str = ""
    remove_after: str = ""
    sources: tuple[str, ...] = ()
    definition: str = ""

    @property
    def kept_as(self) -> str:
        """The name under which the definition is kept."""
        return kept_name(self.identity, self.definition)


@dataclass(frozen=True, slots=True)
class LockedRows:
    """A source, table or stream as locked: its identity, and its columns as ``name: type``."""

    name: str
    identity: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """All locked feature versions and the rows that they read. ``identities`` says by which version
    of the canonical form the identities were made, ``engines`` with which versions of the engines
    the project worked then; these decide no verdict.
    """

    features: Mapping[ir.FeatureId, Locked]
    rows: Mapping[str, LockedRows]
    edition: str = EDITION
    schema: int = ir.SCHEMA_VERSION
    identities: int = IDENTITY_VERSION
    engines: tuple[str, ...] = ()


EMPTY = Lock({}, {})


def lock_plan(
    plan: ir.Plan, today: str, previous: Lock = EMPTY, engines: tuple[str, ...] = ()
) -> Lock:
    """Return the lock of ``plan``; ``today`` is the ISO date of what is new or removed in it.

    Versions that ``previous`` has keep their date, and those that the plan no longer has stay, as
    removed.
    """
    identities, of_rows = plan_identities(plan)
    reads = dependencies(plan)
    sources, definitions = _sources(plan), definition_digests(plan)
    found: dict[ir.FeatureId, Locked] = {}
    for feature in plan.features:
        old = previous.features.get(feature.id)
        found[feature.id] = Locked(
            feature.id,
            identities[feature.id],
            str(feature.type),
            feature.owner,
            feature.doc,
            feature.tags,
            today if old is None else old.created,
            DEPRECATED if feature.deprecated else ACTIVE,
            feature.deprecated,
            tuple(
                (
                    name_of(node),
                    identities[node] if isinstance(node, ir.FeatureId) else of_rows[node],
                )
                for node in reads[feature.id]
            ),
            remove_after=feature.remove_after,
            sources=sources[feature.id],
            definition=definitions[feature.id],
        )
    for name, old in previous.features.items():
        if name not in found:
            gone = old.status == REMOVED
            found[name] = old if gone else replace(old, status=REMOVED, ended=today)
    rows = {
        source.name: LockedRows(
            source.name,
            of_rows[source.name],
            columns_of(source),
        )
        for source in plan.sources
    }
    return Lock(found, rows, engines=engines)


def columns_of(source: ir.Source) -> tuple[str, ...]:
    """Return the columns of a source as they are locked."""
    return tuple(f"{column.name}: {column.type}" for column in source.columns)


def _sources(plan: ir.Plan) -> dict[ir.FeatureId, tuple[str, ...]]:
    """Return the sources and tables behind the expression of each feature, in its order, one that
    stands there several times in a row once; those behind the features that it reads are theirs.
    """
    behind: dict[str, tuple[str, ...]] = {source.name: (source.name,) for source in plan.sources}
    streams = {stream.name: stream for stream in plan.streams}
    unions = {union.name: union for union in plan.unions}
    for node in plan_order(plan):
        if isinstance(node, str) and node in unions:
            behind[node] = tuple(one for name in unions[node].members for one in behind[name])
        elif isinstance(node, str) and node in streams:
            stream = streams[node]
            looked_up = _behind(stream_expressions(stream), behind)
            behind[node] = (*behind[stream.base], *looked_up)
    return {feature.id: tuple(_behind((feature.expression,), behind)) for feature in plan.features}


def _behind(roots: tuple[ir.Expr, ...], behind: Mapping[str, tuple[str, ...]]) -> list[str]:
    found: list[str] = []
    last: tuple[str, ...] = ()
    for expr in subexpressions(*roots):
        match expr:
            case ir.Aggregate():
                names = behind[expr.rows]
            case ir.TableLookup():
                names = behind[expr.table]
            case _:
                continue
        if names != last:
            found += names
            last = names
    return found


def write_lock(lock: Lock) -> str:
    """Return the canonical text of ``lock``."""
    head = [
        _HEAD,
        f"version = {LOCK_VERSION}",
        f"edition = {_toml(lock.edition)}",
        f"plan_schema = {lock.schema}",
        f"identities = {lock.identities}",
        *([_list("engines", lock.engines)] if lock.engines else ()),
    ]
    groups = ["\n".join(head)]
    for _, rows in sorted(lock.rows.items()):
        groups.append(
            "\n".join(
                (
                    f"[rows.{_toml(rows.name)}]",
                    f"identity = {_toml(rows.identity)}",
                    _list("columns", rows.columns),
                )
            )
        )
    groups += [_feature_group(lock.features[name]) for name in sorted(lock.features)]
    return "\n\n".join(groups) + "\n"


def _feature_group(locked: Locked) -> str:
    lines = [
        f"[feature.{_toml(name_of(locked.feature))}]",
        f"identity = {_toml(locked.identity)}",
        *([f"definition = {_toml(locked.definition)}"] if locked.definition else ()),
        f"type = {_toml(locked.type)}",
        f"owner = {_toml(locked.owner)}",
        f"doc = {_toml(locked.doc)}",
        f"created = {_toml(locked.created)}",
        f"status = {_toml(locked.status)}",
    ]
    if locked.ended:
        lines.append(f"ended = {_toml(locked.ended)}")
    if locked.deprecated:
        lines.append(f"deprecated = {_toml(locked.deprecated)}")
    if locked.remove_after:
        lines.append(f"remove_after = {_toml(locked.remove_after)}")
    if locked.tags:
        lines.append(_list("tags", locked.tags))
    if locked.sources:
        lines.append(_list("sources", locked.sources))
    if locked.reads:
        lines.append(_list("reads", [f"{name} {identity}" for name, identity in locked.reads]))
    return "\n".join(lines)


def _list(name: str, items: tuple[str, ...] | list[str]) -> str:
    inside = "".join(f"  {_toml(item)},\n" for item in items)
    return f"{name} = [\n{inside}]"


_CONFLICT = "it holds an unresolved merge conflict, which `astrafs apply` can resolve"


class _UnsoundError(Exception):
    """What is wrong with a lock file, and the text or the line where it is."""

    def __init__(self, note: str, place: str | int = "") -> None:
        super().__init__(note)
        self.place = place


def read_lock(text: str, name: str = FILE_NAME, *, join: bool = False) -> Lock:
    """Read the text of a lock file called ``name``; raises :class:`AstrafsError` (AFS0801) with the
    place if it is not one. With ``join``, one with a merge conflict is the lock of both sides.
    """
    try:
        sides = _sides(text) if join else None
        return _read(text) if sides is None else _both(*map(_read, sides))
    except _UnsoundError as error:
        span, file = _span_of(error.place, text, name), SourceFile(name, text)
        title = f"`{name}` cannot be read"
        found = (
            codes.BAD_LOCK_FILE.nowhere(title)
            if span is None
            else codes.BAD_LOCK_FILE.at(span, "here", title=title)
        )
        raise AstrafsError(
            found.note(str(error)).help(
                f"restore `{name}` from version control, or lock the project anew"
            ),
            files={name: file},
        ) from None


def _sides(text: str) -> tuple[str, str] | None:
    """Return what either side of a merge has; None where there is no conflict."""
    parts: dict[str, list[str]] = {"<": [], ">": []}
    at, found = "", False
    for line in text.splitlines(keepends=True):
        mark = line[0] if line[:7] in ("<" * 7, "|" * 7, "=" * 7, ">" * 7) else ""
        if mark:
            # Between ``|`` and ``=`` stands what both began with.
            at, found = {"<": "<", "|": "|", "=": ">", ">": ""}[mark], True
            continue
        for side, lines in parts.items():
            if at in ("", side):
                lines.append(line)
    return ("".join(parts["<"]), "".join(parts[">"])) if found else None


def _both(ours: Lock, theirs: Lock) -> Lock:
    """Return all that two locks hold, where they do not contradict each other."""
    for name in ours.features.keys() & theirs.features.keys():
        if ours.features[name].identity != theirs.features[name].identity:
            shown = name_of(name)
            title = f"the two sides of a merge mean something else by `{shown}`"
            raise _UnsoundError(title, _header("feature", shown))
    return replace(
        ours,
        features={**theirs.features, **ours.features},
        rows={**theirs.rows, **ours.rows},
    )


def _span_of(place: str | int, text: str, name: str) -> Span | None:
    """Return where a text, or a line by its number, stands in the file."""
    lines = text.splitlines(keepends=True)
    if isinstance(place, int):
        if not 0 < place <= len(lines):
            return None
        start = sum(map(len, lines[: place - 1]))
        return Span(name, start, start + len(lines[place - 1].rstrip()))
    start = text.find(place) if place else -1
    return None if start < 0 else Span(name, start, start + len(place))


def _read(text: str) -> Lock:
    conflict = re.search(r"^(<{7}|={7}|>{7})", text, re.MULTILINE)
    if conflict is not None:
        raise _UnsoundError(_CONFLICT, conflict[0])
    try:
        data = _quickly(text) or tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        last = text.count("\n") + (not text.endswith("\n"))
        raise _UnsoundError(f"it is not TOML: {error}", int(line[1]) if line else last) from None
    except RecursionError:
        raise _UnsoundError("it is nested too deeply") from None
    version = data.get("version")
    if version != LOCK_VERSION:
        raise _UnsoundError(
            "it does not say which version of the format it has"
            if version is None
            else f"its format has version {version!r}; this version reads {LOCK_VERSION}",
            "version =" if version is not None else 1,
        )
    features, rows = data.get("feature", {}), data.get("rows", {})
    known = {"version", "edition", "plan_schema", "identities", "engines", "feature", "rows"}
    if not isinstance(features, dict) or not isinstance(rows, dict) or not set(data) <= known:
        strange = sorted(set(data) - known) or ["feature", "rows"]
        raise _UnsoundError("it has parts that no lock file has", strange[0])
    head = tuple(data.get(name) for name in ("edition", "plan_schema", "identities"))
    if not (isinstance(head[0], str) and isinstance(head[1], int) and isinstance(head[2], int)):
        raise _UnsoundError(
            "its head must give `edition`, `plan_schema` and `identities`", "version ="
        )
    engines = data.get("engines", ())
    if not _is_texts(engines):
        raise _UnsoundError("`engines` must be a list of texts", "engines")
    if head[1] > ir.SCHEMA_VERSION or head[2] > IDENTITY_VERSION:
        newer = "plan_schema" if head[1] > ir.SCHEMA_VERSION else "identities"
        raise _UnsoundError("a newer version of this program has written it", newer)
    locked = {one.feature: one for one in (_read_feature(*entry) for entry in features.items())}
    for one in locked.values():
        for read, _ in one.reads:
            name = feature_named(read)
            if name is not None and name not in locked:
                title = f"`{name_of(one.feature)}` reads `{read}`, which the file lacks"
                raise _UnsoundError(title, _header("feature", name_of(one.feature)))
    return Lock(
        locked,
        {name: _read_rows(name, entry) for name, entry in rows.items()},
        head[0],
        head[1],
        head[2],
        tuple(engines),
    )


def _header(table: str, name: str) -> str:
    return f"[{table}.{_toml(name)}]"


_TABLE = re.compile(r'\[(feature|rows)\.("[^"\\\x00-\x1f\x7f]*")\]')
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")
_ENTRY = re.compile(r"([a-z_]+) = (.+)")


def _quickly(text: str) -> dict[str, Any] | None:
    """Read a file that is just as :func:`write_lock` writes it, in a tenth of the time that a
    reader of any TOML takes; None for another.
    """
    data: dict[str, Any] = {"feature": {}, "rows": {}}
    entry: dict[str, Any] = data
    items: list[str] | None = None
    try:
        for line in text.split("\n"):
            if items is not None:
                if line == "]":
                    items = None
                elif line.startswith('  "') and line.endswith('",'):
                    items.append(_json_text(line[2:-1]))
                else:
                    return None
                continue
            if not line or line == _HEAD:
                continue
            table = _TABLE.fullmatch(line)
            if table is not None:
                tables = data[table[1]]
                name = _json_text(table[2])
                if name in tables:
                    return None
                entry = tables[name] = {}
                continue
            found = _ENTRY.fullmatch(line)
            if found is None or found[1] in entry:
                return None
            if found[2] == "[":
                items = entry[found[1]] = []
            elif found[2].startswith('"'):
                entry[found[1]] = _json_text(found[2])
            elif _NUMBER.fullmatch(found[2]):
                entry[found[1]] = int(found[2])
            else:
                return None
    except ValueError:
        return None
    return data if items is None else None


def _json_text(text: str) -> str:
    """Read a text that JSON and TOML read alike; raises ``ValueError`` for another."""
    if "\\" not in text and text.count('"') == 2 and text.isprintable():
        return text[1:-1]
    found = json.loads(text)
    if not isinstance(found, str) or "\\/" in text or "\x7f" in text:
        raise ValueError
    found.encode()  # half of a surrogate pair is no text
    return found


def _read_rows(name: str, entry: Any) -> LockedRows:
    if not isinstance(entry, dict) or set(entry) != {"identity", "columns"}:
        raise _UnsoundError(f"{name} must have just identity and columns", _header("rows", name))
    if not (_is_identity(entry["identity"]) and _is_texts(entry["columns"])):
        raise _UnsoundError(f"{name} has a value of a wrong form", _header("rows", name))
    return LockedRows(name, entry["identity"], tuple(entry["columns"]))


_TEXTS = ("type", "owner", "doc", "created", "status")
_DATES = ("ended", "remove_after")
_MORE_TEXTS = ("definition", "deprecated")
_MAYBE = {
    "definition": "",
    "deprecated": "",
    "tags": (),
    "sources": (),
    "reads": (),
    **dict.fromkeys(_DATES, ""),
}


def _read_feature(name: str, entry: Any) -> Locked:
    feature, here = feature_named(name), _header("feature", name)
    if feature is None:
        raise _UnsoundError(f"{json.dumps(name)} is not the name of a feature version", here)
    given = set(entry) if isinstance(entry, dict) else set()
    needed = {"identity", *_TEXTS}
    if not needed <= given or given - needed - _MAYBE.keys():
        missing = ", ".join(sorted(needed - given))
        strange = ", ".join(sorted(given - needed - _MAYBE.keys()))
        said = f"{name} has no {missing}" if missing else f"{name} must not have {strange}"
        raise _UnsoundError(said, here)
    full = {**_MAYBE, **entry}
    listed = full["reads"] if isinstance(full["reads"], list | tuple) else [None]
    reads = [_read_dependency(item) for item in listed]
    sound = (
        all(isinstance(full[field], str) for field in (*_TEXTS, *_DATES, *_MORE_TEXTS))
        and _is_identity(full["identity"])
        and _is_texts(full["tags"])
        and _is_texts(full["sources"])
        and None not in reads
        and (not full["definition"] or _DIGEST.fullmatch(full["definition"]))
        and _DATE.fullmatch(full["created"])
        and all(not full[field] or _DATE.fullmatch(full[field]) for field in _DATES)
        and full["status"] in STATUSES
    )
    if not sound:
        raise _UnsoundError(f"{name} has a value of a wrong form", here)
    return Locked(
        feature,
        full["identity"],
        full["type"],
        full["owner"],
        full["doc"],
        tuple(full["tags"]),
        full["created"],
        full["status"],
        full["deprecated"],
        tuple(read for read in reads if read is not None),
        full["ended"],
        full["remove_after"],
        tuple(full["sources"]),
        full["definition"],
    )


def _read_dependency(item: object) -> tuple[str, str] | None:
    name, _, identity = item.rpartition(" ") if isinstance(item, str) else ("", "", "")
    return (name, identity) if name and _is_identity(identity) else None


def _is_identity(value: object) -> bool:
    return isinstance(value, str) and _IDENTITY.fullmatch(value) is not None


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def feature_named(name: str) -> ir.FeatureId | None:
    """Read ``module.Entity.name@2`` (the version always there); None if it is not of that form."""
    qualified, _, version = name.rpartition("@")
    entity, _, feature = qualified.rpartition(".")
    if entity and feature and version.isascii() and version.isdigit() and int(version) > 0:
        return ir.FeatureId(entity, feature, int(version))
    return None


def name_of(node: ir.FeatureId | str) -> str:
    """Return a node's name as the lock file writes it: a feature always with its version."""
    if isinstance(node, ir.FeatureId):
        return f"{node.entity}.{node.name}@{node.version}"
    return node


def _toml(value: str) -> str:
    # TOML's basic strings know JSON's escapes; it also wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
