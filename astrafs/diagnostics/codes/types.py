"""Codes of types, nulls, units and what may stand where (AFS03xx)."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

WRONG_TYPE = Code(
    "AFS0301",
    "the value has another type than declared",
    explain="",
)
MAY_BE_NULL = Code(
    "AFS0302",
    "the value may be null",
    explain="",
)
BAD_OPERANDS = Code(
    "AFS0303",
    "the operator does not take these types",
    explain="",
)
BAD_ARGUMENT = Code(
    "AFS0304",
    "the function does not take this argument",
    explain="",
)
BAD_ARGUMENT_COUNT = Code(
    "AFS0305",
    "wrong number of arguments",
    explain="",
)
UNKNOWN_TYPE = Code(
    "AFS0306",
    "unknown type",
    explain="",
)
BAD_TYPE = Code(
    "AFS0307",
    "a type that cannot be",
    explain="",
)
UNKNOWN_ENUM_VALUE = Code(
    "AFS0308",
    "the enum has no such value",
    explain="",
)
UNIT_MISMATCH = Code(
    "AFS0309",
    "units do not fit",
    explain="",
)
BARE_COLUMN = Code(
    "AFS0310",
    "a column is used without an aggregate",
    explain="",
)
MISPLACED_AGGREGATE = Code(
    "AFS0311",
    "an aggregate cannot stand here",
    explain="",
)
NO_ROWS = Code(
    "AFS0312",
    "there are no rows to aggregate",
    explain="",
)
BAD_TIME_COLUMN = Code(
    "AFS0313",
    "the column cannot be a time",
    explain="",
)
BAD_KEY_COLUMN = Code(
    "AFS0314",
    "the column cannot be a key",
    explain="",
)
BAD_LOOKUP = Code(
    "AFS0315",
    "a lookup that cannot be",
    explain="",
)
NOT_CONSTANT = Code(
    "AFS0316",
    "the value must be known when compiling",
    explain="",
)
BAD_CONDITION = Code(
    "AFS0317",
    "the condition is not a bool",
    explain="",
)
TOO_COMPLEX = Code(
    "AFS0318",
    "the expression is too large",
    explain="",
)
BAD_VIEW_ITEM = Code(
    "AFS0319",
    "this cannot be a column of a view",
    explain="",
)
BAD_COLUMN_CLAUSE = Code(
    "AFS0320",
    "a clause does not fit the column",
    explain="",
)
NOT_A_VALUE = Code(
    "AFS0321",
    "this is not a value",
    explain="",
)
