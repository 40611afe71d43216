"""What functions and types of other languages are called here."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.source import Span

FUNCTIONS: Mapping[str, str] = {
    "avg": "mean",
    "average": "mean",
    "countdistinct": "count_distinct",
    "nunique": "count_distinct",
    "std": "stddev",
    "stdev": "stddev",
    "stddev_samp": "stddev",
    "var_samp": "var",
    "variance": "var",
    "ceiling": "ceil",
    "power": "pow",
    "startswith": "starts_with",
    "endswith": "ends_with",
    "len": "length",
    "lcase": "lower",
    "ucase": "upper",
}
"""Only those that mean the same."""

TYPES: Mapping[str, str] = {
    word: right
    for right, words in {
        "int": "integer int64 bigint long i64",
        "float": "double float64 real f64",
        "bool": "boolean",
        "string": "str text varchar char",
        "timestamp": "datetime timestamptz instant",
        "bytes": "blob binary bytea",
        "duration": "interval timedelta",
        "decimal": "numeric",
    }.items()
    for word in words.split()
}


def called_here(
    found: Diagnostic, name: str, span: Span, known: Collection[str], foreign: Mapping[str, str]
) -> Diagnostic | None:
    """Add how ``name`` is called here, if it is a known word in other letters or one of another
    language; None where it is neither.
    """
    lowered = name.lower()
    right = lowered if lowered in known else foreign.get(lowered)
    if right is None:
        return None
    found = found.help(f"it is called `{right}` here")
    return found.fix(f"write `{right}`", Edit(span, right))
