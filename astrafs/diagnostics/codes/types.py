"""Codes of types, nulls, units and what may stand where (AFS03xx)."""

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

WRONG_TYPE = Code(
    "AFS0301",
    "the value has another type than declared",
    explain="""Every feature and computed column declares its type, and its value must fit: an
int widens to float and decimal, a decimal to one that holds all its digits. Nothing narrows by
itself: write `int(x)`, `float(x)`, `decimal(x, p, s)` or `string(x)`.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: int = sum(amount) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amount) over 7d
}
""",
)
MAY_BE_NULL = Code(
    "AFS0302",
    "the value may be null",
    explain="""Whether a value may be null is part of its type: `T?` does not go where `T` is
wanted. `x ?? default` gives a value for the null; `if x is null then ... else ...`, and a
`where x is not null`, are understood: x is not null on the other side.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  mean_7d: float = mean(amount) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  mean_7d: float = mean(amount) over 7d ?? 0.0
}
""",
)
BAD_OPERANDS = Code(
    "AFS0303",
    "the operator does not take these types",
    explain="""Operators take the types that their table lists: `+` adds numbers, durations, and
a duration to a timestamp; `concat(a, b)` joins strings; dates have `add_days` and
`days_between`.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: int = count(where note + note == "x") over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: int = count(where note == "x") over 7d
}
""",
)
BAD_ARGUMENT = Code(
    "AFS0304",
    "the function does not take this argument",
    explain="""The argument's type is none of those that the function takes.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(at) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amount) over 7d
}
""",
)
BAD_ARGUMENT_COUNT = Code(
    "AFS0305",
    "wrong number of arguments",
    explain="""The function takes fewer or more arguments than are given.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amount, points) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend_7d: float = sum(amount) over 7d
}
""",
)
UNKNOWN_TYPE = Code(
    "AFS0306",
    "unknown type",
    explain="""Types are `int`, `float`, `decimal(p, s)`, `bool`, `string`, `bytes`, `timestamp`,
`date`, `duration`, `enum("a", ...)`, and the entities that the file declares or imports.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: integer = count() over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
BAD_TYPE = Code(
    "AFS0307",
    "a type that cannot be",
    explain="""Decimals have 1 to 38 digits, enums at least one value and none twice, and only
numbers have a unit. A column cannot hold a key of several parts: declare a column per part.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend: decimal(40, 2) = 1.0
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  spend: decimal(38, 2) = 1.0
}
""",
)
UNKNOWN_ENUM_VALUE = Code(
    "AFS0308",
    "the enum has no such value",
    explain="""A text beside an enum is checked against the values that the enum lists, so that a
misspelt value is found when compiling and not by a feature that is always zero.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  approved_7d: int = count(where status == "aproved") over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  approved_7d: int = count(where status == "approved") over 7d
}
""",
)
UNIT_MISMATCH = Code(
    "AFS0309",
    "units do not fit",
    explain="""Numbers with a unit add, subtract and compare only with numbers of the same unit;
`*` and `/` multiply and divide units. A literal takes on the unit of the other side.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: int = count(where fee > tax) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: int = count(where fee > 1.0) over 7d
}
""",
)
BARE_COLUMN = Code(
    "AFS0310",
    "a column is used without an aggregate",
    explain="""A source has many rows per entity and a feature one value, so the feature must say
how the rows become one: `last(x) over all` is the latest value, `mean(x) over 7d` the mean of
a week.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  amount_now: float? = amount
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  amount_now: float? = last(amount) over all
}
""",
)
MISPLACED_AGGREGATE = Code(
    "AFS0311",
    "an aggregate cannot stand here",
    explain="""Aggregates stand in features, over the rows of their block. A column of a stream,
a condition or another aggregate sees one row: look up a feature there.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: float? = max(sum(amount) over 1d) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: float? = max(amount) over 7d
}
""",
)
NO_ROWS = Code(
    "AFS0312",
    "there are no rows to aggregate",
    explain="""A `features` block without `from` derives features from others; it has no rows of
its own.""",
    bad=_BASE
    + """
features for User {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}
""",
)
BAD_TIME_COLUMN = Code(
    "AFS0313",
    "the column cannot be a time",
    explain="""`time` and `known` name a `timestamp` column that is never null. A date is not an
instant (a day is 24 hours long and starts at another moment in each zone), a number needs its
unit: declare `timestamp in "Zone/Name"` or `timestamp in "unix:s"`.""",
    bad=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time day {
  id:      string
  user_id: User
  day:     date
}
""",
    good=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time day {
  id:      string
  user_id: User
  day:     timestamp in "Europe/Paris"
}
""",
)
BAD_KEY_COLUMN = Code(
    "AFS0314",
    "the column cannot be a key",
    explain="""A key identifies a row or an entity: it is never null and never a float, whose
equal values may print differently. Every source and table has one: it also orders rows of
equal times.""",
    bad=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time at {
  id:      string?
  user_id: User
  at:      timestamp
}
""",
    good=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time at {
  id:      string
  user_id: User
  at:      timestamp
}
""",
)
BAD_LOOKUP = Code(
    "AFS0315",
    "a lookup that cannot be",
    explain="""`Entity[key].feature` wants a key of that entity, or one value per key column;
`table[key].column` one value per key column of the table. Keys are nominal: an int is no
`User` until `User(x)` makes it one. Lookups stand in features, views and streams, where there
is a time to look at.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}

request Checkout { amount: int }

features for Checkout {
  ## Payments of the user.
  n: int = User[amount].payments_7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}

request Checkout { payer: User }

features for Checkout {
  ## Payments of the user.
  n: int = User[payer].payments_7d
}
""",
)
NOT_CONSTANT = Code(
    "AFS0316",
    "the value must be known when compiling",
    explain="""The durations of a source (`delay`, `retention`, `max_age`, `settles`) are part of
the program's meaning, so they cannot depend on data.""",
    bad=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time at delay wait {
  id:      string
  user_id: User
  wait:    duration
  at:      timestamp
}
""",
    good=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time at delay 5m {
  id:      string
  user_id: User
  wait:    duration
  at:      timestamp
}
""",
)
BAD_CONDITION = Code(
    "AFS0317",
    "the condition is not a bool",
    explain="""`where`, `expect` and `if` take a condition. There is no truth of numbers or
texts: compare them.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: int = count(where points) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  odd: int = count(where points > 0) over 7d
}
""",
)
TOO_COMPLEX = Code(
    "AFS0318",
    "the expression is too large",
    explain="""Functions and columns of streams are put in place of their names. The expression
that this gives may be 300 levels deep and hold 5,000 operations.""",
    bad="""fn f0(x: int) -> int = x + x + x + x
fn f1(x: int) -> int = f0(x) + f0(x) + f0(x) + f0(x)
fn f2(x: int) -> int = f1(x) + f1(x) + f1(x) + f1(x)
fn f3(x: int) -> int = f2(x) + f2(x) + f2(x) + f2(x)
fn f4(x: int) -> int = f3(x) + f3(x) + f3(x) + f3(x)
fn f5(x: int) -> int = f4(x) + f4(x) + f4(x) + f4(x)
fn f6(x: int) -> int = f5(x) + f5(x) + f5(x) + f5(x)
fn f7(x: int) -> int = f6(x) + f6(x) + f6(x) + f6(x)
""",
    good="""fn f0(x: int) -> int = x + x + x + x
fn f1(x: int) -> int = f0(x) + f0(x)
""",
)
BAD_VIEW_ITEM = Code(
    "AFS0319",
    "this cannot be a column of a view",
    explain="""A view lists features, lookups of features and fields; computing is a feature's
task, so that the value has a name, a type and a description.""",
    bad=_BASE
    + """
## Euro rates.
table rates from csv("rates.csv") key currency time at {
  currency: string
  rate:     float
  at:       timestamp
}

request Trip { currency: string }

view euro for Trip { rates[currency].rate }
""",
    good=_BASE
    + """
## Euro rates.
table rates from csv("rates.csv") key currency time at {
  currency: string
  rate:     float
  at:       timestamp
}

request Trip { currency: string }

features for Trip {
  ## Euro rate.
  rate: float? = rates[currency].rate
}

view trip for Trip { rate }
""",
)
BAD_COLUMN_CLAUSE = Code(
    "AFS0320",
    "a clause does not fit",
    explain="""Some clauses belong to sources only (`retention`), some to tables (`static`,
`max_age`), some exclude one another (`known` and `delay`), and files are `parquet`, `csv` or
`jsonl`.""",
    bad=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time at max_age 2h {
  id: string
  at: timestamp
}
""",
    good=_BASE
    + """
## Logins.
source logins from parquet("logins.parquet") key id time at retention 90d {
  id: string
  at: timestamp
}
""",
)
NOT_A_VALUE = Code(
    "AFS0321",
    "this is not a value",
    explain="""The expression has no value here: a constant that overflows, `t` inside an
aggregate, a part of something that has none.""",
    bad=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  age: duration? = max(t - at) over 7d
}
""",
    good=_BASE
    + """
features for User from payments {
  ## Payments of the past week.
  age: duration? = t - min(at) over 7d
}
""",
)
