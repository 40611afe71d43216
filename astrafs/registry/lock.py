"""``astrafs.lock``: what every feature version meant when it was locked. Text in, text out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.plan import ir
from astrafs.plan.graph import dependencies
from astrafs.plan.identity import feature_identities

LOCK_VERSION = 1
ACTIVE = "active"
DEPRECATED = "deprecated"

_HEAD = (
    "# What every feature version means. Written by astrafs; keep it in version control.\n"
    f"version = {LOCK_VERSION}\n\n[features]\n"
)
_IDENTITY = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FIELDS = ("identity", "type", "created", "status", "dependencies")


@dataclass(frozen=True, slots=True)
class Locked:
    """One feature version as locked.

    ``created`` is the ISO date of its first lock, ``status`` ``active`` or ``deprecated``,
    ``dependencies`` what it reads directly, as names.
    """

    feature: ir.FeatureId
    identity: str
    type: str
    created: str
    status: str
    dependencies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """All locked feature versions."""

    features: Mapping[ir.FeatureId, Locked]


def lock_plan(plan: ir.Plan, created: str, previous: Lock | None = None) -> Lock:
    """Return the lock of ``plan``; ``created`` is the ISO date of what is new in it.

    Versions that ``previous`` has with the same identity keep their date.
    """
    identities = feature_identities(plan)
    reads = dependencies(plan)
    before = {} if previous is None else previous.features
    found: dict[ir.FeatureId, Locked] = {}
    for feature in plan.features:
        identity = identities[feature.id]
        old = before.get(feature.id)
        same = old is not None and old.identity == identity
        found[feature.id] = Locked(
            feature.id,
            identity,
            str(feature.type),
            old.created if old is not None and same else created,
            DEPRECATED if feature.deprecated else ACTIVE,
            tuple(_name(node) for node in reads[feature.id]),
        )
    return Lock(found)


def write_lock(lock: Lock) -> str:
    """Return the canonical text: TOML, sorted, one line per feature version."""
    lines = []
    for feature in sorted(lock.features):
        locked = lock.features[feature]
        values: tuple[str | list[str], ...] = (
            locked.identity,
            locked.type,
            locked.created,
            locked.status,
            list(locked.dependencies),
        )
        pairs = ", ".join(
            f"{name} = {_toml(value)}" for name, value in zip(_FIELDS, values, strict=True)
        )
        lines.append(f"{_toml(_name(feature))} = {{ {pairs} }}\n")
    return _HEAD + "".join(lines)


def read_lock(text: str) -> Lock:
    """Read a lock file's text; raises :class:`AstrafsError` (AFS0801) if it is not one."""
    if re.search(r"^(<{7}|={7}|>{7})", text, re.MULTILINE):
        raise AstrafsError(_bad("it holds an unresolved merge conflict"))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AstrafsError(_bad(f"it is not TOML: {error}")) from None
    except RecursionError:
        raise AstrafsError(_bad("it is nested too deeply")) from None
    version = data.get("version")
    if version != LOCK_VERSION:
        raise AstrafsError(
            _bad(f"its format has version {version!r}; this version reads {LOCK_VERSION}")
        )
    table = data.get("features")
    if not isinstance(table, dict) or set(data) != {"version", "features"}:
        raise AstrafsError(_bad("it has other parts than `version` and `[features]`"))
    found = (_read_line(name, entry) for name, entry in table.items())
    return Lock({locked.feature: locked for locked in found})


def _read_line(name: str, entry: Any) -> Locked:
    qualified, _, version = name.rpartition("@")
    entity, _, feature = qualified.rpartition(".")
    numbered = version.isascii() and version.isdigit() and int(version) > 0
    if not (entity and feature and numbered):
        raise AstrafsError(_bad(f"{json.dumps(name)} is not the name of a feature version"))
    if not isinstance(entry, dict) or set(entry) != set(_FIELDS):
        raise AstrafsError(_bad(f"{name} must have just {', '.join(_FIELDS)}"))
    reads = entry["dependencies"]
    sound = (
        all(isinstance(entry[field], str) for field in _FIELDS[:-1])
        and isinstance(reads, list)
        and all(isinstance(read, str) for read in reads)
        and _IDENTITY.fullmatch(entry["identity"])
        and _DATE.fullmatch(entry["created"])
        and entry["status"] in (ACTIVE, DEPRECATED)
    )
    if not sound:
        raise AstrafsError(_bad(f"{name} has a value of a wrong form"))
    return Locked(
        ir.FeatureId(entity, feature, int(version)),
        entry["identity"],
        entry["type"],
        entry["created"],
        entry["status"],
        tuple(reads),
    )


def _bad(note: str) -> Diagnostic:
    return (
        codes.BAD_LOCK_FILE.nowhere()
        .note(note)
        .help("restore `astrafs.lock` from version control, or lock the project anew")
    )


def _name(node: ir.FeatureId | str) -> str:
    """Return a node's name, a feature always with its version."""
    if isinstance(node, ir.FeatureId):
        return f"{node.entity}.{node.name}@{node.version}"
    return node


def _toml(value: str | list[str]) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # TOML's basic strings know JSON's escapes; it also wants DEL escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
