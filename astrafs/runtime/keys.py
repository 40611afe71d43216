"""Entity keys and request fields as they are typed on a command line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.suggest import closest
from astrafs.plan import ir
from astrafs.typesys import Kind, Type
from astrafs.values.times import duration, instant

_EPOCH_DAY = date(1970, 1, 1).toordinal()


def parse_keys(entity: ir.Entity, given: Sequence[str], option: str = "--key") -> tuple[Any, ...]:
    """Return one value per key column of ``entity`` (or field of a request) from ``NAME=VALUE``
    texts, or from bare values in the order of the columns. ``option`` names them in errors.

    A nullable field that is not given is null. Raises :class:`AstrafsError`.
    """
    names = [field.name for field in entity.keys]
    found: dict[str, str] = {}
    free = list(names)
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or name.strip() not in names:
            if sign and len(names) != 1 and closest(name.strip(), names):
                raise _unknown(entity, name.strip(), names, option)
            if not free:
                raise _unknown(entity, text, names, option)
            name, value = free[0], text
        name = name.strip()
        if name in found:
            raise AstrafsError(codes.BAD_VALUE.nowhere(f"{option}: `{name}` is given twice"))
        found[name] = value
        free.remove(name)
    missing = [f.name for f in entity.keys if f.name not in found and not f.type.nullable]
    if missing:
        listed = " ".join(f"{option} {name}=..." for name in missing)
        kind = "request" if entity.request else "key of"
        title = f"the {kind} `{entity.name.rsplit('.', 1)[-1]}` is not complete"
        raise AstrafsError(codes.BAD_VALUE.nowhere(title).help(f"add {listed}"))
    return tuple(
        _value(found[field.name], field.type, field.name, option) if field.name in found else None
        for field in entity.keys
    )


def _unknown(entity: ir.Entity, text: str, names: Sequence[str], option: str) -> AstrafsError:
    short = entity.name.rsplit(".", 1)[-1]
    problem = codes.BAD_VALUE.nowhere(f"{option}: `{short}` has no `{text}`")
    near = closest(text, names)
    listed = ", ".join(f"`{name}`" for name in names) or "no columns"
    return AstrafsError(
        problem.help(f"did you mean `{near}`?") if near else problem.note(f"its key has {listed}")
    )


def _value(text: str, type_: Type, name: str, option: str) -> Any:
    while type_.kind is Kind.KEY and len(type_.parts) == 1:
        type_ = type_.parts[0].with_null(type_.nullable)
    if text == "null" and type_.nullable:
        return None
    try:
        found = _parsed(text, type_, f"{option} {name}")
    except (ValueError, InvalidOperation):
        found = None
    if found is None:
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"{option}: `{name}` is `{type_}`, and `{text}` is none").help(
                f"write `{option} {name}=...`"
            )
        )
    return found


def _parsed(text: str, type_: Type, what: str) -> Any:
    match type_.kind:
        case Kind.INT:
            number = int(text)
            return number if -(2**63) <= number < 2**63 else None
        case Kind.FLOAT:
            real = float(text) + 0.0
            return real if real - real == 0.0 else None
        case Kind.DECIMAL:
            exact = Decimal(text).quantize(Decimal(1).scaleb(-type_.scale))
            return exact if exact == Decimal(text) else None
        case Kind.BOOL:
            return {"true": True, "false": False}.get(text)
        case Kind.ENUM:
            return text if text in type_.values else None
        case Kind.STRING:
            return text
        case Kind.TIMESTAMP:
            return instant(text, what)
        case Kind.DURATION:
            return duration(text, what)
        case Kind.DATE:
            return date.fromisoformat(text).toordinal() - _EPOCH_DAY
        case Kind.BYTES:
            return bytes.fromhex(text)
        case _:
            return None
