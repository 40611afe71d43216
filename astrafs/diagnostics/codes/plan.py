"""Codes of the plan stage: what this version cannot plan, and plan files it cannot read."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

_SOURCE = """owner "risk@acme.test"

entity User { user_id: int }

## Payments, one row per attempt.
source payments
  from  parquet("payments.parquet")
  key   txn_id
  time  at
{
  txn_id:  string
  user_id: User
  at:      timestamp
}
"""

NOT_SUPPORTED = Code(
    "AFS0601",
    "not supported by this version",
    "The construct is part of the language, so the parser knows it, but this version of the "
    "compiler cannot plan it. Nothing is wrong with the program; no partial meaning is given to "
    "it.",
    bad=_SOURCE
    + """
entity Place { country: string, city: string }

stream placed from payments { place: Place = Place("FR", txn_id) }

features for User from placed {
  ## Places of the past week.
  places: int = count_distinct(place) over 7d
}
""",
    good=_SOURCE
    + """
features for User from payments {
  ## Places of the past week.
  places: int = count_distinct(txn_id) over 7d
}
""",
)

BAD_PLAN_FILE = Code(
    "AFS0602",
    "this is not a plan that this version can read",
    "A plan file is the canonical JSON that `astrafs compile --emit plan` writes, with the schema "
    "version of the compiler that wrote it. It was cut short, edited by hand, or written by "
    "another version: compile the program again.",
    runtime=True,
)
