"""Codes of datasets (AFS0332 on)."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

_BASE = """owner "risk@acme.test"

entity User { user_id: int }

## Payments, one row per attempt.
source payments
  from parquet("payments.parquet")
  key  txn_id
  time at
{
  txn_id:   string
  user_id:  User
  amount:   float
  note:     string?
  disputed: bool settles 60d
  at:       timestamp
}

features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}

view risk for User { payments_7d }
"""

_REQUEST = (
    _BASE
    + """
request Checkout {
  user_id: User
  message: string
}

features for Checkout {
  ## Length of the message.
  length: int = length(message)
}

view checkout for Checkout { length }
"""
)

SPINE_FIELD = Code(
    "AFS0332",
    "a spine does not give what its view asks for",
    explain="""A dataset asks its view once per row of the spine. The key of the view's entity is
found as in a `features` block (and `by` says which, where there are several); a field of a request
is the column of the same name, else the only column of its key type. A column that may be null
does not go into a field that may not. What the spine lacks can be added in a stream over it, which
is the spine then.""",
    bad=_REQUEST
    + """
dataset training view checkout spine payments label disputed
""",
    good=_REQUEST
    + """
## Payments with a message.
stream messages from payments where note is not null { message: string = note }

dataset training view checkout spine messages label disputed
""",
)
NO_SPINE = Code(
    "AFS0333",
    "a dataset has no spine",
    explain="""A dataset has one example per row of its spine, a source or stream: at the row's own
time, with the row's own key and fields.""",
    bad=_BASE
    + """
dataset training view risk label disputed
""",
    good=_BASE
    + """
dataset training view risk spine payments label disputed
""",
)
BAD_LABEL = Code(
    "AFS0334",
    "this cannot be a label of a dataset",
    explain="""A label is a column of the spine row (usually one that `settles`, or is `known`
later), or what is declared under `labels for`, looked up by a key of the row. Features are known at
the row's time, so they belong into the view.""",
    bad=_BASE
    + """
dataset training view risk spine payments label User[user_id].payments_7d
""",
    good=_BASE
    + """
labels for User from payments {
  ## Payments of the coming week.
  payments_next_7d: int = count() over next 7d
}

dataset training view risk spine payments label User[user_id].payments_next_7d
""",
)
BAD_SPLIT = Code(
    "AFS0335",
    "a split is no two instants in order",
    explain="""`split train before A, test from B` puts the rows before A into one file and those
from B on into another. A and B are timestamps or dates (midnight in UTC) known when compiling, and
A is not after B. The rows between them are left out.""",
    bad=_BASE
    + """
dataset training
  view  risk
  spine payments
  split train before 2026-06-01, test from 2026-03-01
""",
    good=_BASE
    + """
dataset training
  view  risk
  spine payments
  split train before 2026-03-01, test from 2026-06-01
""",
)
