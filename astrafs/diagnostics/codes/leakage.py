"""Codes of the leakage pass: features that would know more in training than when serving."""

from __future__ import annotations

from astrafs.diagnostics.model import Code, Severity

_HEAD = """owner "risk@acme.test"

entity User { user_id: int }
"""

_SOURCE = (
    _HEAD
    + """
## Payments, one row per attempt.
source payments
  from  parquet("payments.parquet")
  key   txn_id
  time  at
{
  txn_id:  string
  user_id: User
  amount:  float
  at:      timestamp
}
"""
)

_SETTLING = (
    _HEAD
    + """
## Payments, one row per attempt.
source payments
  from  parquet("payments.parquet")
  key   txn_id
  time  at
{
  txn_id:   string
  user_id:  User
  disputed: bool settles 60d
  at:       timestamp
}
"""
)

_FLIGHTS = """owner "ops@acme.test"

entity Plane { tail: string }

## Flights, by scheduled departure.
source flights
  from  parquet("flights.parquet")
  key   flight_id
  time  departs_at
{
  flight_id:  string
  tail:       Plane
  arr_delay:  int? known landed_at
  departs_at: timestamp
  landed_at:  timestamp?
}
"""

_DELAYED = (
    _HEAD
    + """
## Payments; the pipeline lags two hours behind.
source payments
  from  parquet("payments.parquet")
  key   txn_id
  time  at
  delay 2h
{
  txn_id:  string
  user_id: User
  at:      timestamp
}
"""
)

_RETAINED = (
    _HEAD
    + """
## Payments; older rows are deleted.
source payments
  from      parquet("payments.parquet")
  key       txn_id
  time      at
  retention 90d
{
  txn_id:  string
  user_id: User
  at:      timestamp
}
"""
)

READS_THE_FUTURE = Code(
    "AFS0501",
    "a feature reads the future",
    "The window reaches rows whose event time lies after the prediction time `t`. In training "
    "those rows are in the files, so the feature would look excellent; when serving they have not "
    "happened yet. Only `labels` may look forward. A source whose rows are published before their "
    "event time (schedules, bookings, forecasts) says so with `known COLUMN ahead`; windows over "
    "it may look forward, because then only rows published by `t` count.",
    bad=_SOURCE
    + """
features for User from payments {
  ## Payments in the coming week.
  next_week: int = count() over next 7d
}
""",
    good=_SOURCE
    + """
features for User from payments {
  ## Payments in the past week.
  past_week: int = count() over 7d
}
""",
)

UNSETTLED = Code(
    "AFS0502",
    "a column is read before it has settled",
    "A column declared `settles D` is changed after its row is written and can be trusted only D "
    "after the row's event time. Training reads the final value from the files; serving would "
    "have read the value of that moment. A window may read such a column only where every row in "
    "it is at least D old: `over W offset D`.",
    bad=_SETTLING
    + """
features for User from payments {
  ## Disputes in the past month.
  disputes_30d: int = count(where disputed) over 30d
}
""",
    good=_SETTLING
    + """
features for User from payments {
  ## Disputes in the month before the last 60 days.
  disputes_30d: int = count(where disputed) over 30d offset 60d
}
""",
)

KNOWN_LATER = Code(
    "AFS0503",
    "a column is read before it is known",
    "A column declared `known COLUMN` has no value before that time of its own row: a flight's "
    "delay is not known while it is in the air. The file holds it next to the scheduled time, so "
    "a window by the scheduled time would read it too early. Read it through a stream whose "
    "`time` is that column (or one that is surely later).",
    bad=_FLIGHTS
    + """
features for Plane from flights {
  ## Mean arrival delay over the past day.
  delay_1d: float? = mean(arr_delay) over 1d
}
""",
    good=_FLIGHTS
    + """
## Flights at the moment they landed.
stream landings from flights time landed_at where landed_at is not null

features for Plane from landings {
  ## Mean arrival delay over the past day.
  delay_1d: float? = mean(arr_delay) over 1d
}
""",
)

SOURCE_WITHOUT_TIME = Code(
    "AFS0504",
    "a source has no event time",
    "Every row of a source happened at some moment, and a feature may read only the rows from "
    "before its prediction time. Without `time` nothing tells the past from the future, so every "
    "row would be visible to every question. Name the timestamp column with `time`. Facts that "
    'have no time at all belong in a `table ... static "why"`.',
    bad=_HEAD
    + """
## Payments.
source payments
  from parquet("payments.parquet")
  key  txn_id
{
  txn_id:  string
  user_id: User
  at:      timestamp
}
""",
    good=_SOURCE,
)

TABLE_WITHOUT_TIME = Code(
    "AFS0505",
    "a table has neither a time nor a reason to lack one",
    "A table is a changelog: its value for a key is the latest row at the time of the question. "
    "Without `time` the file holds only today's values, and training would read today's value for "
    "questions of last year. Name the column with `time`, or, where the value truly never changes "
    '(or its change is harmless), state why with `static "why"`: the reason is listed with the '
    "footprint of every feature that reads the table.",
    bad=_HEAD
    + """
## Home country by user.
table homes from csv("homes.csv") key user_id {
  user_id: int
  country: string
}
""",
    good=_HEAD
    + """
## Country of birth by user.
table homes from csv("homes.csv") key user_id static "a place of birth never changes" {
  user_id: int
  country: string
}
""",
)

NEVER_SEES_A_ROW = Code(
    "AFS0506",
    "a window can never see a row",
    "A row becomes visible only `delay` after its event time, and by then it is already older "
    "than the window's far edge: the feature has its empty-window value for ever. Lengthen the "
    "window beyond the delay.",
    bad=_DELAYED
    + """
features for User from payments {
  ## Payments in the past hour.
  payments_1h: int = count() over 1h
}
""",
    good=_DELAYED
    + """
features for User from payments {
  ## Payments in the past day.
  payments_1d: int = count() over 1d
}
""",
)

BEYOND_RETENTION = Code(
    "AFS0507",
    "a window reaches past what the source keeps",
    "The source deletes rows older than its `retention`, so the window silently loses its far "
    "end: a backfill of last week and the same backfill next month would disagree. Shorten the "
    "window or raise `retention` to what is really kept.",
    bad=_RETAINED
    + """
features for User from payments {
  ## Payments in the past year.
  payments_1y: int = count() over 365d
}
""",
    good=_RETAINED
    + """
features for User from payments {
  ## Payments in the past quarter.
  payments_90d: int = count() over 90d
}
""",
)

MOMENT_READ_EARLY = Code(
    "AFS0509",
    "the moment of a later event is read by rows timed earlier",
    "Other columns are declared `known` at this moment, so it is the time of something that "
    "happens after the row's own time, and it may be null. Before that time nobody knows its "
    "value, or that it will have one: `where landed_at is not null` over flights by departure "
    "tells at take-off which flights will land. Read it through a stream re-timed to it. To make "
    "this an error, declare the column `known` at itself: `landed_at: timestamp? known landed_at`.",
    severity=Severity.WARNING,
    bad=_FLIGHTS
    + """
features for Plane from flights {
  ## Flights of the past day that landed.
  landed_1d: int = count(where landed_at is not null) over 1d
}
""",
    good=_FLIGHTS
    + """
## Flights at the moment they landed.
stream landings from flights time landed_at where landed_at is not null

features for Plane from landings {
  ## Landings of the past day.
  landed_1d: int = count() over 1d
}
""",
)

WALL_CLOCK = Code(
    "AFS0508",
    "the wall clock and randomness do not exist here",
    "A feature is a function of (key, prediction time, knowledge cutoff) alone: the same question "
    "gives the same bits for ever. `now()`, `today()`, `random()` and the like would give "
    "training rows the time or the luck of the training run. Write `t` for the prediction time, "
    "pass what the caller knows as a field of a `request`, and use `hash(x, n)` to split things "
    "into stable groups.",
    bad=_HEAD
    + """
features for User {
  ## Hour of the day.
  hour_now: int = hour(now(), "UTC")
}
""",
    good=_HEAD
    + """
features for User {
  ## Hour of the day.
  hour_now: int = hour(t, "UTC")
}
""",
)

DEPENDS_ON_A_LABEL = Code(
    "AFS0510",
    "a feature depends on a label",
    "A label is decided after the prediction time: it is what a model predicts. A feature, stream "
    "or view that reads one would know the answer in training, and nothing when serving. Labels "
    "may read features; only labels and the `label` lines of a dataset may read labels.",
    bad=_SOURCE
    + """
labels for User from payments {
  ## No payment in the next 30 days.
  churned_30d: bool = count() over next 30d == 0
}

features for User {
  ## One for users who stay.
  loyal: int = if churned_30d then 0 else 1
}
""",
    good=_SOURCE
    + """
labels for User from payments {
  ## No payment in the next 30 days.
  churned_30d: bool = count() over next 30d == 0
  ## One for users who stay.
  loyal: int = if churned_30d then 0 else 1
}
""",
)

_DATASET = (
    _SETTLING
    + """
features for User from payments {
  ## Payments of the past month.
  payments_30d: int = count() over 30d
}

view risk for User { payments_30d }
"""
)

SPLIT_TOO_NARROW = Code(
    "AFS0511",
    "training labels are decided inside the test period",
    "A label of a training row is decided some time after the row: when its column has settled, or "
    "its window has passed. Where that lies after the start of the test, the model is trained on "
    "what happened in the test period, and looks better than it is. So the gap of a split is at "
    "least as long as the longest horizon of its labels.",
    bad=_DATASET
    + """
dataset training
  view  risk
  spine payments
  label disputed
  split train before 2026-03-01, test from 2026-03-15
""",
    good=_DATASET
    + """
dataset training
  view  risk
  spine payments
  label disputed
  split train before 2026-03-01, test from 2026-04-30
""",
)

SEES_THE_SPINE_ROW = Code(
    "AFS0512",
    "a feature of a dataset sees the row that it is asked about",
    "Every row of the spine is an example at its own time t. A window `including now` over the "
    "same source holds that row itself in training, and does not when serving: it is not there yet "
    "when the question is asked. Leave out the rows at t, or make the request a row (`request R as "
    "ROWS`), which counts it alike in both.",
    bad=_SOURCE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d including now
}

view risk for User { payments_7d }

dataset training view risk spine payments label amount
""",
    good=_SOURCE
    + """
features for User from payments {
  ## Payments of the past week.
  payments_7d: int = count() over 7d
}

view risk for User { payments_7d }

dataset training view risk spine payments label amount
""",
)

LABEL_IS_AN_INPUT = Code(
    "AFS0513",
    "a label is given to the view",
    "The view of a request is asked with columns of the spine row. One of them is the label: the "
    "model would be told what it is to predict.",
    bad=_SOURCE
    + """
request Payment {
  user_id: User
  amount:  float
}

features for Payment {
  ## In thousands.
  thousands: float = amount / 1000.0
}

view size for Payment { thousands }

dataset training view size spine payments label amount
""",
    good=_SOURCE
    + """
request Payment {
  user_id: User
  amount:  float
}

features for Payment {
  ## In thousands.
  thousands: float = amount / 1000.0
}

labels for User from payments {
  ## Payments in the coming week.
  next_7d: int = count() over next 7d
}

view size for Payment { thousands }

dataset training view size spine payments label User[user_id].next_7d
""",
)
