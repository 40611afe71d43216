"""Codes of unions (AFS033x)."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

_BASE = """owner "risk@acme.test"

entity User { user_id: int }

## Card payments.
source cards from parquet("cards.parquet") key id time at {
  id:      string
  user_id: User
  amount:  float
  at:      timestamp
}
"""

_FEATURE = """
## All payments.
stream payments from union(cards, transfers)

features for User from payments {
  ## Spent in the past week.
  spent_7d: float = sum(amount) over 7d
}
"""

UNION_TYPES = Code(
    "AFS0330",
    "a column has two types in a union",
    explain="""The rows of a union have the columns that all its members have, so such a column
must have one type in all of them (it may be nullable in some: then it is in the union). Nothing
widens by itself. Declare the columns alike, or unite streams that compute a column of one name
and type.""",
    bad=_BASE
    + """
## Bank transfers.
source transfers from parquet("transfers.parquet") key id time at {
  id:      string
  user_id: User
  amount:  decimal(12, 2)
  at:      timestamp
}
"""
    + _FEATURE,
    good=_BASE
    + """
## Bank transfers.
source transfers from parquet("transfers.parquet") key id time at {
  id:      string
  user_id: User
  amount:  float
  at:      timestamp
}
"""
    + _FEATURE,
)
UNION_KEYS = Code(
    "AFS0331",
    "the members of a union have different keys",
    explain="""Rows of one time are ordered by their key, and where that is equal too, by the place
of the member in `union(...)`. So all members name the same key columns, in the same order.""",
    bad=_BASE
    + """
## Bank transfers.
source transfers from parquet("transfers.parquet") key transfer_id time at {
  transfer_id: string
  user_id:     User
  amount:      float
  at:          timestamp
}
"""
    + _FEATURE,
    good=_BASE
    + """
## Bank transfers.
source transfers from parquet("transfers.parquet") key id time at {
  id:      string from "transfer_id"
  user_id: User
  amount:  float
  at:      timestamp
}
"""
    + _FEATURE,
)
