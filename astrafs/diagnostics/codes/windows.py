"""Codes of windows as written (AFS04xx); what a window may see is the leakage pass's affair."""

from __future__ import annotations

from astrafs.diagnostics.model import Code

_BASE = """owner "risk@acme.test"

unit usd
unit eur

entity User { user_id: int }

## Payments, one row per attempt.
source payments
  from parquet("payments.parquet")
  key  txn_id
  time at
{
  txn_id:  string
  user_id: User
  amount:  float
  fee:     float [usd]
  tax:     float [eur]
  points:  int
  note:    string?
  status:  enum("approved", "declined")
  at:      timestamp
}
"""

MISSING_WINDOW = Code(
    "AFS0401",
    "an aggregate has no window",
    explain="""An aggregate says over which rows it goes: `over 7d`, `over last 5`, `over all`.
There is no default, because every default has misled somebody.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend: float = sum(amount)
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend: float = sum(amount) over 7d
}
""",
)
WINDOW_WITHOUT_AGGREGATE = Code(
    "AFS0402",
    "`over` needs an aggregate",
    explain="""`over` says which rows an aggregate reads; a column or function by itself does not
say how several rows become one value.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend: float? = abs(amount) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend: float? = last(amount) over 7d
}
""",
)
LENGTH_NOT_CONSTANT = Code(
    "AFS0403",
    "the length of a window must be known when compiling",
    explain="""Lengths, offsets and row counts of windows are durations and numbers, constants or
loop variables: what a feature reads must be provable before any data is read.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over points
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over 7d
}
""",
)
NOT_A_DURATION = Code(
    "AFS0404",
    "a window is measured in time",
    explain="""A length in time is a duration: `7d`, `1h30m`, `500ms`. A number of rows is `last
5`.""",
    bad=_BASE
    + """
const week = 7

features for User from payments {
  ## Payments of the past week.
  n: int = count() over week
}
""",
    good=_BASE
    + """
const week = 7d

features for User from payments {
  ## Payments of the past week.
  n: int = count() over week
}
""",
)
EMPTY_WINDOW = Code(
    "AFS0405",
    "the window holds no time",
    explain="""A window of no length, or one whose two edges coincide without both being
included, holds no row whatever the data.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over 0s
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over 1s
}
""",
)
BAD_ROW_COUNT = Code(
    "AFS0406",
    "`last` needs a number of rows above zero",
    explain="""`over last 5` holds the 5 latest visible rows; zero or fewer hold nothing.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: float = sum(amount) over last 0
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: float = sum(amount) over last 1
}
""",
)
EDGES_REVERSED = Code(
    "AFS0407",
    "the edges of the window are the wrong way round",
    explain="""Edges are ages, and the older one comes first: `[7d, 1h)` holds what is at most 7
days and more than one hour old.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over [1h, 7d)
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over [7d, 1h)
}
""",
)
NEGATIVE_DURATION = Code(
    "AFS0408",
    "a duration above zero is wanted",
    explain="""An `offset` moves a window back and cannot be negative (`next` looks forward, in
labels); `every`, `within`, `delay` and the like are above zero.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over 7d every 0s
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over 7d every 1h
}
""",
)
TOO_LONG = Code(
    "AFS0409",
    "a duration is longer than time",
    explain="""Timestamps lie in the years 1678 to 2261, so no stretch of time that a window or a
clause names may be longer than 600 years (219,000 days), an `offset` included. To read everything,
write `over all`.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments so far.
  n: int = count() over 1000000d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments so far.
  n: int = count() over all
}
""",
)
UNKNOWN_CALENDAR_UNIT = Code(
    "AFS0410",
    "`since` knows no such calendar unit",
    explain="""A calendar window begins with the hour, day, week (from Monday) or month that holds
`t`, on the clock of the zone that it names: `over since day("Europe/Paris")`. Longer units have no
window of their own; `over 365d` is a year of days.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of this year.
  n: int = count() over since year("UTC")
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of this month.
  n: int = count() over since month("UTC")
}
""",
)
UNKNOWN_ZONE = Code(
    "AFS0411",
    "this is not a time zone",
    explain="""A calendar window names its zone as the IANA database does: `"Europe/Paris"`,
`"America/New_York"`, `"UTC"`. Abbreviations such as `CET` mean different offsets in different
places and seasons.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments since midnight.
  n: int = count() over since day("Europe/Pariss")
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments since midnight.
  n: int = count() over since day("Europe/Paris")
}
""",
)
CONDITION_IN_NAMED_WINDOW = Code(
    "AFS0412",
    "a named window has no rows to test",
    explain="""The condition of `since last (...)` reads the columns of the rows that the aggregate
goes over. A named window belongs to no rows, so it cannot hold one.""",
    bad=_BASE
    + """
window since_decline = since last (status == "declined")

features for User from payments {
  ## Payments since the last one declined.
  n: int = count() over since_decline
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments since the last one declined.
  n: int = count() over since last (status == "declined")
}
""",
)
_REQUEST = (
    _BASE
    + """
request Checkout as payments {
  user_id: User
  amount:  float
}
"""
)

REQUEST_IS_NO_ROW = Code(
    "AFS0413",
    "a request has windows only over the rows that it is one of",
    explain="""`request Checkout as payments` says that a request is a row of `payments` about to
happen; then `features for Checkout from payments by user_id` aggregates the earlier rows of equal
`user_id`. Rows of another kind belong to an entity: aggregate there, and look the feature up.""",
    bad=_BASE
    + """
request Checkout { user_id: User }

features for Checkout from payments by user_id {
  ## Payments of the past week.
  n: int = count() over 7d
}
""",
    good=_BASE
    + """
request Checkout as payments { user_id: User }

features for Checkout from payments by user_id {
  ## Payments of the past week.
  n: int = count() over 7d
}
""",
)
NO_REQUEST_HERE = Code(
    "AFS0414",
    "there is no request to include",
    explain="""`including request` adds the request itself as the newest row. Only the features of a
request that is a row (`request Checkout as payments`) are asked for with one.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  n: int = count() over 7d including request
}
""",
    good=_REQUEST
    + """
features for Checkout from payments by user_id {
  ## Payments of the past week, and this one.
  n: int = count() over 7d including request
}
""",
)
REQUEST_OUTSIDE_WINDOW = Code(
    "AFS0415",
    "the request lies outside the window",
    explain="""The request happens at `t`. A window that ends earlier, such as one with an `offset`
or of rounded times, cannot hold it; one that holds rows at `t` itself would count twice what is
happening now.""",
    bad=_REQUEST
    + """
features for Checkout from payments by user_id {
  ## Payments of the past week, and this one.
  n: int = count() over 7d offset 1d including request
}
""",
    good=_REQUEST
    + """
features for Checkout from payments by user_id {
  ## Payments of the past week, and this one.
  n: int = count() over 7d including request
}
""",
)
REQUEST_LACKS_COLUMN = Code(
    "AFS0416",
    "the request lacks a column that is read of it",
    explain="""With `including request` the request is one of the rows, so whatever the aggregate
reads of a row must be among its fields: inputs, conditions, and what a stream's `where` and columns
are made of. The columns that `by` names must be among them too.""",
    bad=_REQUEST
    + """
features for Checkout from payments by user_id {
  ## Fees of the past week.
  fees: float [usd] = sum(fee) over 7d including request
}
""",
    good=_REQUEST
    + """
features for Checkout from payments by user_id {
  ## Spent in the past week, with this.
  spent: float = sum(amount) over 7d including request
}
""",
)
REQUEST_FIELD = Code(
    "AFS0417",
    "a field of the request is not the column of its rows",
    explain="""A request that is a row of a source has columns of that source as its fields: each of
the same name and type, without null where the column has none. Its time is `t`.""",
    bad=_BASE
    + """
request Checkout as payments {
  user_id: User
  amount:  int
}
""",
    good=_BASE
    + """
request Checkout as payments {
  user_id: User
  amount:  float
}
""",
)
