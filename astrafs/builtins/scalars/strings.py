"""Functions of text. Positions count code points from 0; letters and blanks are those of ASCII."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from astrafs.builtins.rules import dimensionless, guarded, int_literal, need, strict
from astrafs.builtins.scalars.casts import part_of, string_of, string_sql
from astrafs.builtins.scalars.logic import MANY
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import BOOL, INT, STRING, Kind, Type

Types = tuple[Type, ...]
Values = tuple[Any, ...]

_TEXT = (Kind.STRING, Kind.ENUM)
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_BLANKS = " \t\n\r\v\f"
_BLANKS_SQL = "(' ' || chr(9) || chr(10) || chr(13) || chr(11) || chr(12))"
_LONGEST = 2_147_483_646
_HASH_DIGITS = 15
_TO_LOWER = str.maketrans(_UPPER, _LOWER)
_TO_UPPER = str.maketrans(_LOWER, _UPPER)


def _rule(
    params: str, result: Type, *, maybe: bool = False
) -> Callable[[Types, Values], Signature]:
    """A rule for text (``s``) and int (``i``) parameters; a final ``+`` repeats the last one."""
    many = params.endswith("+")
    letters = params.removesuffix("+")

    def rule(types: Types, _constants: Values) -> Signature:
        for index, type_ in enumerate(types):
            letter = letters[min(index, len(letters) - 1)]
            if letter == "s":
                expected = (
                    "a string"
                    if type_.kind is Kind.BOOL
                    else "a string; `string(x)` turns a value into text"
                )
                need(types, index, _TEXT, expected)
            else:
                need(types, index, (Kind.INT,), "an int")
                dimensionless(types, index)
        return strict(types, result, maybe=maybe)

    return guarded(rule, len(letters), MANY if many else None)


def _plain(function: Callable[..., Any]) -> Callable[[Values, Types, Type], Any]:
    def evaluate(values: Values, _types: Types, _result: Type) -> Any:
        return function(*values)

    return evaluate


def _substring(text: str, start: int, count: int) -> str:
    return text[max(start, 0) : max(start + count, 0)]


def _substring_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    text, start, count = args
    low = f"GREATEST({start}, 0)"
    # The end is found in 128 bits: start + count may not fit 64.
    size = f"({start}::HUGEINT + {count}::HUGEINT - {low})"
    return (
        f"CASE WHEN {start} IS NULL OR {count} IS NULL THEN NULL"
        f" WHEN {size} <= 0 OR {low} > {_LONGEST} THEN SUBSTRING({text}, 1, 0)"
        f" ELSE SUBSTRING({text}, {low} + 1, LEAST({size}, {_LONGEST})::BIGINT) END"
    )


def _left_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    text, count = args
    return (
        f"CASE WHEN {count} IS NULL THEN NULL"
        f" ELSE SUBSTRING({text}, 1, LEAST(GREATEST({count}, 0), {_LONGEST})) END"
    )


def _right(text: str, count: int) -> str:
    return text[max(len(text) - count, 0) :] if count > 0 else ""


def _right_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    text, count = args
    taken = f"LEAST(GREATEST({count}, 0), length({text}))"
    return (
        f"CASE WHEN {count} IS NULL THEN NULL"
        f" ELSE SUBSTRING({text}, length({text}) - {taken} + 1, {taken}) END"
    )


def _split_part(text: str, separator: str, index: int) -> str | None:
    parts = text.split(separator) if separator else [text]
    return parts[index] if 0 <= index < len(parts) else None


_SPLIT_SQL = (
    "CASE WHEN {1} = '' THEN CASE WHEN {2} = 0 THEN {0} END"
    f" WHEN {{1}} IS NOT NULL AND {{2}} BETWEEN 0 AND {_LONGEST}"
    " THEN list_extract(string_split({0}, {1}), {2} + 1) END"
)


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if old else text


def _hash_rule(types: Types, constants: Values) -> Signature:
    source = part_of(types[0])
    if source.is_nested or source.kind in (Kind.KEY, Kind.NULL):
        raise Mismatch(0, 'a plain value; `hash(join(xs, ","), n)` takes the texts of a list')
    buckets = int_literal(types, constants, 1)
    if buckets is None or buckets < 1:
        raise Mismatch(1, "an int literal from 1 on: the number of buckets")
    return strict(types, INT)


def _bucket(data: bytes, buckets: int) -> int:
    return int(hashlib.sha256(data).hexdigest()[:_HASH_DIGITS], 16) % buckets


def _hash(values: Values, types: Types, _result: Type) -> int:
    value, buckets = values
    match part_of(types[0]).kind:
        case Kind.BYTES:
            return _bucket(value, buckets)
        case Kind.DURATION:
            return _bucket(str(value).encode(), buckets)
        case _:
            return _bucket(string_of(value, types[0]).encode(), buckets)


def _hash_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    match part_of(types[0]).kind:
        case Kind.BYTES:
            data = args[0]
        case Kind.DURATION:
            data = f"{args[0]}::VARCHAR"
        case _:
            data = string_sql(args[0], types[0])
    return f"(('0x' || SUBSTRING(sha256({data}), 1, {_HASH_DIGITS}))::BIGINT % {args[1]})"


def _row(
    name: str,
    params: str,
    kinds: str,
    result: Type,
    function: Callable[..., Any],
    sql: str | Callable[[tuple[str, ...], Types, Type], str],
    doc: str,
    *examples: Example,
    maybe: bool = False,
) -> Function:
    return Function(
        name=name,
        params=params,
        rule=_rule(kinds, result, maybe=maybe),
        evaluate=_plain(function),
        sql=sql,
        nulls=Nulls.STRICT,
        doc=doc,
        group="text",
        examples=examples,
    )


ROWS = (
    _row(
        "lower",
        "s",
        "s",
        STRING,
        lambda s: s.translate(_TO_LOWER),
        f"translate({{0}}, '{_UPPER}', '{_LOWER}')",
        "The letters A to Z in lower case; other characters stay.",
        Example('lower("Abc É")', "abc É"),
    ),
    _row(
        "upper",
        "s",
        "s",
        STRING,
        lambda s: s.translate(_TO_UPPER),
        f"translate({{0}}, '{_LOWER}', '{_UPPER}')",
        "The letters a to z in upper case; other characters stay.",
        Example('upper("Abc é")', "ABC é"),
    ),
    _row(
        "trim",
        "s",
        "s",
        STRING,
        lambda s: s.strip(_BLANKS),
        f"trim({{0}}, {_BLANKS_SQL})",
        "Without the blanks (space, tab, line ends, form feed) at both ends.",
        Example('trim(" a b\\n")', "a b"),
    ),
    _row(
        "starts_with",
        "s, prefix",
        "ss",
        BOOL,
        str.startswith,
        "starts_with({0}, {1})",
        "Whether s begins with the prefix.",
        Example('starts_with("abc", "ab")', True),
    ),
    _row(
        "ends_with",
        "s, suffix",
        "ss",
        BOOL,
        str.endswith,
        "ends_with({0}, {1})",
        "Whether s ends with the suffix.",
        Example('ends_with("abc", "ab")', False),
    ),
    _row(
        "substring",
        "s, start, count",
        "sii",
        STRING,
        _substring,
        _substring_sql,
        "The code points at the positions from start up to start + count, as far as they exist.",
        Example('substring("abcde", 1, 3)', "bcd"),
        Example('substring("abc", -1, 2)', "a"),
        Example('substring("abc", 5, 2)', ""),
    ),
    _row(
        "left",
        "s, count",
        "si",
        STRING,
        lambda s, n: s[: max(n, 0)],
        _left_sql,
        "The first code points.",
        Example('left("abc", 2)', "ab"),
    ),
    _row(
        "right",
        "s, count",
        "si",
        STRING,
        _right,
        _right_sql,
        "The last code points.",
        Example('right("abc", 2)', "bc"),
        Example('right("abc", 9)', "abc"),
    ),
    _row(
        "replace",
        "s, old, new",
        "sss",
        STRING,
        _replace,
        "CASE WHEN {1} = '' AND {2} IS NOT NULL THEN {0} ELSE replace({0}, {1}, {2}) END",
        "s with every occurrence of old, from the left, replaced; an empty old changes nothing.",
        Example('replace("aaa", "aa", "b")', "ba"),
        Example('replace("abc", "", "x")', "abc"),
    ),
    _row(
        "split_part",
        "s, separator, index",
        "ssi",
        STRING,
        _split_part,
        _SPLIT_SQL,
        "The part of s at an index, counted from 0, between separators; null if there is none."
        " An empty separator does not split.",
        Example('split_part("a,b,c", ",", 1)', "b"),
        Example('split_part("a", ",", 1)', None),
        maybe=True,
    ),
    Function(
        name="hash",
        params="x, buckets",
        rule=guarded(_hash_rule, 2),
        evaluate=_hash,
        sql=_hash_sql,
        nulls=Nulls.STRICT,
        doc=(
            "A bucket from 0 to buckets - 1: the first 60 bits of the SHA-256 of x, as a number,"
            " modulo buckets. Hashed is the UTF-8 text that `string(x)` gives, of bytes they"
            " themselves, and of a duration its microseconds in decimal. The same everywhere, for"
            " ever."
        ),
        group="text",
        examples=(
            Example('hash("user-1", 1000000)', 885_787),
            Example("hash(42, 1000000)", 842_664),
            Example("hash(0.1, 1000000)", 939_288),
            Example("hash(decimal(1.5, 4, 2), 1000000)", 925_827),
            Example("hash(true, 1000000)", 89_463),
            Example("hash(2026-01-01, 1000000)", 86_866),
            Example("hash(2026-01-01T10:00:00Z, 1000000)", 275_044),
            Example("hash(90s, 1000000)", 700_888),
        ),
    ),
)
