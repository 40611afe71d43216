"""The failures of values, under the name that the layers above import."""

from astrafs.values.errors import (
    BAD_CAST,
    DECIMAL_OVERFLOW,
    FLOAT_OVERFLOW,
    INT_OVERFLOW,
    MARK,
    SUM_RANGE,
    TIME_RANGE,
    ValueFailure,
    sql_error,
)

__all__ = [
    "BAD_CAST",
    "DECIMAL_OVERFLOW",
    "FLOAT_OVERFLOW",
    "INT_OVERFLOW",
    "MARK",
    "SUM_RANGE",
    "TIME_RANGE",
    "ValueFailure",
    "sql_error",
]
