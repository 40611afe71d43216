"""Keys and requests as they are typed after ``--key`` and ``--request``: one table of questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError

if TYPE_CHECKING:
    import pyarrow as pa

    from astrafs.plan import ir

MOST_JSON_BYTES = 1 << 20


def typed_questions(entity: ir.Entity, keys: Sequence[str], requests: Sequence[str]) -> pa.Table:
    """Return what ``--key`` and ``--request`` ask, one row per entity or request.

    Raises :class:`AstrafsError`, also where the option is not the one of the view.
    """
    import pyarrow as pa

    from astrafs.kernels.arrow_types import arrow_type
    from astrafs.runtime.keys import parse_keys

    short = entity.name.rsplit(".", 1)[-1]
    if entity.request and keys:
        raise _other(f"the view is asked with the request `{short}`", "--request")
    if not entity.request and requests:
        raise _other(f"the view is asked for keys of `{short}`", "--key")
    rows: list[tuple[Any, ...]] = []
    given = requests if entity.request else keys
    option = "--request" if entity.request else "--key"
    for part in _parted(given, [field.name for field in entity.keys]):
        if part[0].lstrip().startswith("{"):
            rows.append(_from_json(part[0], entity, option))
        else:
            rows.append(parse_keys(entity, part, option))
    if not entity.keys:
        rows = [()]
    if not rows:
        listed = " ".join(f"{option} {field.name}=..." for field in entity.keys)
        found = codes.USAGE.nowhere(f"the view is asked for no {short}")
        raise AstrafsError(found.help(f"add {listed}, or `--keys FILE`"))
    columns = zip(*rows, strict=True) if entity.keys else ()
    made = {
        field.name: pa.array(column, arrow_type(field.type))
        for field, column in zip(entity.keys, columns, strict=True)
    }
    return pa.table(made) if made else pa.table({"": pa.nulls(len(rows))}).drop_columns([""])


def _parted(given: Sequence[str], names: Sequence[str]) -> list[list[str]]:
    """Part the texts into questions: a name that comes again begins the next one."""
    parts: list[list[str]] = []
    taken: set[str] = set(names)
    for text in given:
        if text.lstrip().startswith("{"):
            parts.append([text])
            taken = set(names)
            continue
        name, sign, _ = text.partition("=")
        name = name.strip()
        named = bool(sign) and name in names
        if not parts or (name in taken if named else len(taken) >= len(names)):
            parts.append([])
            taken = set()
        place = name if named else next((one for one in names if one not in taken), text)
        parts[-1].append(text)
        taken.add(place)
    return parts


def _from_json(text: str, entity: ir.Entity, option: str) -> tuple[Any, ...]:
    from astrafs.online.values import parse_json, read_fields

    found = parse_json(text, most_bytes=MOST_JSON_BYTES, what=option)
    if not isinstance(found, dict):
        raise AstrafsError(codes.BAD_VALUE.nowhere(f"{option}: this is no JSON object"))
    return read_fields(found, [(field.name, field.type) for field in entity.keys], option)


def _other(what: str, option: str) -> AstrafsError:
    return AstrafsError(codes.USAGE.nowhere(what).help(f"use `{option} NAME=VALUE`"))
