"""Run errors that a value can cause: an operation that has no result of its type stops the run."""

from __future__ import annotations

MARK = "AFSERR"
BROKEN_CONTRACT = "AFS0906"
INT_OVERFLOW = "AFS0930"
FLOAT_OVERFLOW = "AFS0931"
DECIMAL_OVERFLOW = "AFS0932"
BAD_CAST = "AFS0933"
TIME_RANGE = "AFS0934"
SUM_RANGE = "AFS0936"


class ValueFailure(Exception):  # noqa: N818 - what a value did, not what we did
    """A value made the run impossible; ``code`` is the diagnostic's id."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{MARK}|{code}|{message}")
        self.code = code
        self.message = message


def sql_error(code: str, message: str) -> str:
    """Return the DuckDB call that raises the same failure, in a form that the session can read
    back.
    """
    quoted = message.replace("'", "''")
    return f"error('{MARK}|{code}|{quoted}')"
