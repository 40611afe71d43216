"""Codes of ``test`` blocks (AFS038x)."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

_BASE = """
owner "a@b.test"
entity User { user_id: int }
## Payments.
source payments from parquet("payments.parquet") key id time at {
  id:      int
  user_id: User
  amount:  float
  at:      timestamp
  expect amount >= 0.0
}
features for User from payments {
  ## Payments of the past hour.
  n: int = count() over 1h
}
"""

_GOOD = (
    _BASE
    + """
test "one payment" {
  payments {
    { id: 1, user_id: 7, amount: 5.0, at: 2026-01-01T10:00:00Z }
  }
  expect User[7].n at 2026-01-01T10:30:00Z == 1
}
"""
)

TEST_COLUMN = Code(
    "AFS0380",
    "a row of a test does not fit its source",
    explain="""A row names the columns of its source. A nullable column may be left out and is null
then, and the `known` column, where the row is known at once. Of the others only those may be left
out that no expectation of the test reads.""",
    bad=_BASE
    + """
test "one payment" {
  payments {
    { id: 1, amount: 5.0, at: 2026-01-01T10:00:00Z }
  }
  expect User[7].n at 2026-01-01T10:30:00Z == 1
}
""",
    good=_GOOD,
)
TEST_CONTRACT = Code(
    "AFS0381",
    "a row of a test breaks a contract of its source",
    explain="""The rows of a test keep the contracts that data keeps: the key of a source is unique,
a row is known no earlier than it happened, and every `expect` line of the source holds.""",
    bad=_BASE
    + """
test "one payment" {
  payments {
    { id: 1, user_id: 7, amount: -5.0, at: 2026-01-01T10:00:00Z }
  }
  expect User[7].n at 2026-01-01T10:30:00Z == 1
}
""",
    good=_GOOD,
)
TEST_TIME = Code(
    "AFS0382",
    "the time of an expectation is no constant timestamp",
    explain="""An expectation holds at one instant, and with `as_of` at one state of knowledge: both
are timestamps known when compiling, such as `2026-01-01T10:00:00Z` or a `const`. A date is no
instant.""",
    bad=_BASE
    + """
test "one payment" {
  payments {
    { id: 1, user_id: 7, amount: 5.0, at: 2026-01-01T10:00:00Z }
  }
  expect User[7].n at 2026-01-02 == 1
}
""",
    good=_GOOD,
)
TEST_VALUE = Code(
    "AFS0383",
    "a value of a test is not constant",
    explain="""The cells of a test's rows and the right-hand side of an expectation are literals,
`const`s, keys such as `User(1)`, and computations with them: what is expected must not depend on
what is tested.""",
    bad=_BASE
    + """
test "one payment" {
  payments {
    { id: 1, user_id: 7, amount: 5.0, at: 2026-01-01T10:00:00Z }
  }
  expect User[7].n at 2026-01-01T10:30:00Z == User[8].n
}
""",
    good=_GOOD,
)
_LABEL = (
    _BASE
    + """
labels for User from payments {
  ## Payments of the coming day.
  soon: int = count() over next 1d
}
test "the day after" {
  payments {
    { id: 1, user_id: 7, amount: 5.0, at: 2026-01-01T10:00:00Z }
  }
"""
)
TEST_IMMATURE = Code(
    "AFS0384",
    "a label is expected before it is mature",
    explain="""A label looks forward, so it is known only when its horizon has passed; before, it is
null. An expectation on a label says with `as_of` at which state of knowledge it holds: at its time
plus the horizon, or later. Without `as_of` that is its own time, where only null can be
expected.""",
    bad=_LABEL
    + """
  expect User[7].soon at 2026-01-01T09:00:00Z == 1
}
""",
    good=_LABEL
    + """
  expect User[7].soon at 2026-01-01T09:00:00Z as_of 2026-01-02T09:00:00Z == 1
  expect User[7].soon at 2026-01-01T09:00:00Z == null
}
""",
)
