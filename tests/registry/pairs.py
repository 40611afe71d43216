"""The pairs: one program, and edits of it with what they mean for every feature.

Each pair names the features that change and how; every other feature must be called identical.
``adversarial`` marks edits that look like no change and are one, or the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BASE = """owner "risk@acme.test"

unit usd
unit hour

const floor_amount: float = 10.0
window month = 30d

entity User { user_id: int }
entity Merchant { merchant_id: int }
entity World {}

## Payments.
source payments
  from csv("data/payments.csv")
  key payment_id
  time at
  known seen_at
{
  payment_id: int
  user_id: User
  merchant_id: Merchant
  kind: enum("card", "cash", "gift")
  amount: float
  fee: decimal(10, 2)
  count_of: int
  note: string?
  disputed: bool settles 60d
  at: timestamp
  seen_at: timestamp
}

## Logins.
source logins from csv("data/logins.csv") key login_id time at delay 5m {
  login_id: int
  user_id: User
  ok: bool
  at: timestamp
}

## Rates.
table rates from csv("data/rates.csv") key currency time at max_age 2d {
  currency: string
  rate: float
  at: timestamp
}

## Kinds.
table kinds from csv("data/kinds.csv") key name static "they never change" {
  name: string
  weight: int
}

## Large payments.
stream large from payments where amount >= floor_amount and kind != "gift" {
  above: float = amount - floor_amount
  weight: int? = kinds[string(kind)].weight
}

## Large payments when they were seen.
stream seen from payments time seen_at where amount > 1.0

fn ratio(a: float?, b: float?) -> float? = a / b

features for User from payments {
  for w in [1d, 7d] {
    ## Payments in {w}.
    n_{w}: int = count() over w
  }
  ## Sum.
  total: float = sum(amount) over month
  ## Mean.
  mean_fee: float? = mean(fee where kind == "card") over 7d offset 1d
  ## Spread.
  spread: float? = stddev(amount) over last 10 within 30d
  ## Last.
  last_kind: enum("card", "cash", "gift")? = last(kind) over all
  ## Median.
  middle: float? = quantile(amount, 0.5) over 30d
  ## Latest.
  recent: list[int] = collect(count_of, 5) over 30d
  ## By kind.
  by_kind: map[enum("card", "cash", "gift"), int] = count() by kind over 30d
  ## Disputes.
  disputes: int = count(where disputed) over 90d offset 60d
  ## Daily.
  today: int = count() over since day("Europe/Paris")
  ## Session.
  session: int = count() over session gap 30m
  ## Distinct.
  merchants: int = count_distinct(merchant_id) over [7d, 1h)
}

features for User from logins {
  ## Failures since a success.
  failures: int = count() over since last (ok)
  ## Hourly.
  hourly: int = count() over 7d every 1h
}

features for User from large {
  ## Above.
  above_max: float? = max(above) over 30d
  ## Weight.
  weight_sum: int = sum(weight) over 7d
}

features for User from seen {
  ## Seen.
  seen_n: int = count() over 7d
}

features for Merchant from payments where kind == "card" {
  ## Cards.
  cards: int = count() over 7d
}

features for World from payments {
  ## All.
  world_n: int = count() over 1d
}

features for User {
  ## Share.
  share: float? = ratio(total, float(n_7d))
  ## Difference.
  gap: int = n_7d - n_1d
  ## Rate.
  rate: float? = rates["EUR"].rate offset 1h
  ## World.
  of_world: float? = float(n_1d) / float(World[].world_n)
  ## Text.
  level: string = if n_7d > 10 and total > 100.0 then "high" else "low"
  ## Doubled.
  twice: int = n_1d * 2 + 1
}

view scoring for User {
  n_1d
  share
  level
}
"""

V, C, N, D, R = "value-changing", "contract only", "new", "deprecated", "removed"


@dataclass(frozen=True)
class Pair:
    """Edits of ``base`` and the features that are not identical after them."""

    name: str
    edits: tuple[tuple[str, str], ...]
    changed: dict[str, str] = field(default_factory=dict)
    adversarial: bool = False
    base: str = BASE


def same(name: str, *edits: tuple[str, str], adversarial: bool = False) -> Pair:
    return Pair(name, edits, {}, adversarial)


def value(name: str, features: str, *edits: tuple[str, str], adversarial: bool = False) -> Pair:
    return Pair(name, edits, dict.fromkeys(features.split(), V), adversarial)


def contract(name: str, features: str, *edits: tuple[str, str], adversarial: bool = False) -> Pair:
    return Pair(name, edits, dict.fromkeys(features.split(), C), adversarial)


ON_N7 = "share gap level"
ON_N1 = "gap of_world twice"
OF_PAYMENTS = (
    "n_1d n_7d total mean_fee spread last_kind middle recent by_kind disputes today session "
    "merchants above_max weight_sum seen_n cards world_n share gap of_world level twice"
)

PAIRS: tuple[Pair, ...] = (
    # --- nothing changes ------------------------------------------------------------------------
    same("a comment", ("## Payments.\n", "# who pays\n## Payments.\n")),
    same("blank lines", ("  ## Sum.", "\n\n\n  ## Sum.")),
    same("a source's description", ("## Payments.\n", "## All payments.\n")),
    same("another owner of sources only", ("## Logins.", "## Log-ins.")),
    same(
        "a renamed loop variable",
        ("for w in", "for span in"),
        ("{w}", "{span}"),
        ("= count() over w\n", "= count() over span\n"),
    ),
    same(
        "a duration in other units",
        ("over 7d offset 1d", "over 168h offset 1440m"),
        adversarial=True,
    ),
    same(
        "a named window written out",
        ("sum(amount) over month", "sum(amount) over 30d"),
        adversarial=True,
    ),
    same(
        "a window as its edges",
        (
            "count_distinct(merchant_id) over [7d, 1h)",
            "count_distinct(merchant_id) over [168h, 60m)",
        ),
        adversarial=True,
    ),
    same(
        "over 7d as edges",
        (
            "## Cards.\n  cards: int = count() over 7d",
            "## Cards.\n  cards: int = count() over [7d, 0s)",
        ),
        adversarial=True,
    ),
    same("offset as edges", ("over 90d offset 60d", "over [150d, 60d)"), adversarial=True),
    same("a renamed constant", ("floor_amount", "least_amount")),
    same("a constant put in place", (">= floor_amount", ">= 10.0"), adversarial=True),
    same("a renamed stream", ("stream large", "stream big"), ("from large", "from big")),
    same("a renamed function", ("ratio(", "share_of(")),
    same(
        "a function put in place",
        ("ratio(total, float(n_7d))", "total / float(n_7d)"),
        adversarial=True,
    ),
    same("operands of a product", ("n_1d * 2 + 1", "2 * n_1d + 1"), adversarial=True),
    same("operands of a sum", ("n_1d * 2 + 1", "1 + n_1d * 2"), adversarial=True),
    same(
        "operands of and",
        ("n_7d > 10 and total > 100.0", "total > 100.0 and n_7d > 10"),
        adversarial=True,
    ),
    same("a comparison turned round", ("n_7d > 10", "10 < n_7d"), adversarial=True),
    same(
        "an equality turned round",
        ('where kind == "card") over', 'where "card" == kind) over'),
        adversarial=True,
    ),
    same(
        "conditions of a stream swapped",
        ('amount >= floor_amount and kind != "gift"', 'kind != "gift" and amount >= floor_amount'),
        adversarial=True,
    ),
    same(
        "a condition said twice", ("n_7d > 10 and", "n_7d > 10 and n_7d > 10 and"), adversarial=True
    ),
    same("an unused column", ("  note: string?\n", "")),
    same("one more column", ("  note: string?\n", "  note: string?\n  extra: int?\n")),
    same(
        "columns in another order",
        ("  note: string?\n", ""),
        ("  amount: float\n", "  note: string?\n  amount: float\n"),
    ),
    same(
        "clauses in another order",
        ("  key payment_id\n  time at\n", "  time at\n  key payment_id\n"),
    ),
    same("a file moved", ('csv("data/payments.csv")', 'csv("moved/payments.csv")')),
    same(
        "a contract", ("  seen_at: timestamp\n}", "  seen_at: timestamp\n  expect amount >= 0.0\n}")
    ),
    same(
        "a column's own name in the file",
        ("  fee: decimal(10, 2)\n", '  fee: decimal(10, 2) from "fee"\n'),
        adversarial=True,
    ),
    same("a renamed view", ("view scoring", "view serving")),
    same("a view with one more output", ("  share\n  level\n", "  share\n  level\n  gap\n")),
    same("outputs of a view in another order", ("  share\n  level\n", "  level\n  share\n")),
    same("the reason of a static table", ("they never change", "fixed by law")),
    same("parentheses", ("n_7d - n_1d", "(n_7d - n_1d)")),
    same("a number with an exponent", ("total > 100.0", "total > 1e2"), adversarial=True),
    same("back-quotes", ("gap: int = n_7d - n_1d", "gap: int = `n_7d` - n_1d")),
    same("a version spelled out", ("= n_7d - n_1d", "= n_7d@1 - n_1d@1"), adversarial=True),
    same(
        "blocks merged", ("}\n\nfeatures for User from seen {", "}\nfeatures for User from seen {")
    ),
    # --- values change --------------------------------------------------------------------------
    value(
        "a longer window", "cards", ("cards: int = count() over 7d", "cards: int = count() over 8d")
    ),
    value(
        "a microsecond",
        "cards",
        ("cards: int = count() over 7d", "cards: int = count() over 604800000001us"),
        adversarial=True,
    ),
    value("the near edge", "merchants", ("[7d, 1h)", "[7d, 1h]"), adversarial=True),
    value("the far edge", "merchants", ("[7d, 1h)", "(7d, 1h)"), adversarial=True),
    value(
        "including now",
        "world_n of_world",
        ("world_n: int = count() over 1d", "world_n: int = count() over 1d including now"),
        adversarial=True,
    ),
    value("a subtraction turned round", "gap", ("n_7d - n_1d", "n_1d - n_7d"), adversarial=True),
    value("a division turned round", "share", ("= a / b", "= b / a"), adversarial=True),
    value(
        "arguments of a function swapped",
        "share",
        ("ratio(total, float(n_7d))", "ratio(float(n_7d), total)"),
        adversarial=True,
    ),
    value("grouping of a sum", "twice", ("n_1d * 2 + 1", "n_1d * (2 + 1)"), adversarial=True),
    value(
        "a quantile's argument",
        "middle",
        ("quantile(amount, 0.5)", "quantile(amount, 0.49)"),
        adversarial=True,
    ),
    value("median for mean", "middle", ("quantile(amount, 0.5)", "mean(amount)")),
    value(
        "how many are collected",
        "recent",
        ("collect(count_of, 5)", "collect(count_of, 6)"),
        adversarial=True,
    ),
    value(
        "the key of a map",
        "by_kind",
        ("count() by kind over 30d", 'count(where kind != "gift") by kind over 30d'),
        adversarial=True,
    ),
    value(
        "a strict comparison",
        "above_max weight_sum",
        ("amount >= floor_amount", "amount > floor_amount"),
        adversarial=True,
    ),
    value(
        "a constant's value",
        "above_max weight_sum",
        ("floor_amount: float = 10.0", "floor_amount: float = 10.5"),
    ),
    value(
        "the last bit of a constant",
        "above_max weight_sum",
        ("floor_amount: float = 10.0", "floor_amount: float = 10.000000000000002"),
        adversarial=True,
    ),
    value("a zone", "today", ("Europe/Paris", "Europe/London"), adversarial=True),
    value("a calendar unit", "today", ("since day(", "since week(")),
    value("the gap of a session", "session", ("gap 30m", "gap 31m")),
    value("the condition of since last", "failures", ("since last (ok)", "since last (not ok)")),
    value("the step of a window", "hourly", ("every 1h", "every 2h")),
    value("no step", "hourly", ("over 7d every 1h", "over 7d"), adversarial=True),
    value("a delay", "failures hourly", ("delay 5m", "delay 6m"), adversarial=True),
    value("no delay", "failures hourly", ("time at delay 5m {", "time at {"), adversarial=True),
    value("when a row is known", OF_PAYMENTS, ("  known seen_at\n", ""), adversarial=True),
    value(
        "the key of a source",
        OF_PAYMENTS,
        ("  key payment_id\n", "  key payment_id, user_id\n"),
        adversarial=True,
    ),
    value(
        "another file column",
        "total middle spread above_max weight_sum seen_n share level",
        ("  amount: float\n", '  amount: float from "Amount"\n'),
        adversarial=True,
    ),
    value("max_age of a table", "rate", ("max_age 2d", "max_age 3d"), adversarial=True),
    value("no max_age", "rate", ("time at max_age 2d {", "time at {"), adversarial=True),
    value(
        "a tie of a table",
        "rate",
        ("  rate: float\n  at: timestamp\n", "  rate: float\n  source: string\n  at: timestamp\n"),
        adversarial=True,
    ),
    value(
        "a table's own delay",
        "rate",
        ("key currency time at max_age", "key currency time at delay 1m max_age"),
        adversarial=True,
    ),
    value("an offset of a lookup", "rate", ("rate offset 1h", "rate offset 2h")),
    value(
        "no offset of a lookup",
        "rate",
        ('rates["EUR"].rate offset 1h', 'rates["EUR"].rate'),
        adversarial=True,
    ),
    value("the key of a lookup", "rate", ('rates["EUR"]', 'rates["eur"]'), adversarial=True),
    value(
        "the order of rows that a stream is timed by",
        "seen_n",
        ("stream seen from payments time seen_at where", "stream seen from payments where"),
        adversarial=True,
    ),
    value("the condition of a stream", "seen_n", ("where amount > 1.0", "where amount > 2.0")),
    value(
        "the condition of a block",
        "cards",
        ('payments where kind == "card"', 'payments where kind != "cash"'),
        adversarial=True,
    ),
    value(
        "no condition of a block",
        "cards",
        (' from payments where kind == "card" {', " from payments {"),
    ),
    value(
        "the condition of an aggregate",
        "mean_fee",
        ('mean(fee where kind == "card")', 'mean(fee where kind == "cash")'),
    ),
    value(
        "a condition inside the input",
        "disputes",
        ("count(where disputed)", "sum(if disputed then 1 else 0)"),
        adversarial=True,
    ),
    value(
        "last of rows for last of values",
        "last_kind",
        ("last(kind)", "last_row(kind)"),
        adversarial=True,
    ),
    value("first for last", "last_kind", ("last(kind)", "first(kind)")),
    value(
        "sample for population",
        "spread",
        ("stddev(amount)", "stddev_pop(amount)"),
        adversarial=True,
    ),
    value("how many last rows", "spread", ("last 10 within 30d", "last 11 within 30d")),
    value("how far last rows reach", "spread", ("last 10 within 30d", "last 10 within 31d")),
    value("no bound of last rows", "spread", ("last 10 within 30d", "last 10"), adversarial=True),
    value("a column of another type", "recent", ("count_of, 5", "int(fee), 5"), adversarial=True),
    value("or for and", "level", ("n_7d > 10 and total", "n_7d > 10 or total"), adversarial=True),
    value("a text", "level", ('"high"', '"High"'), adversarial=True),
    value("branches turned round", "level", ('then "high" else "low"', 'then "low" else "high"')),
    value("an inclusive bound", "level", ("n_7d > 10", "n_7d >= 10"), adversarial=True),
    value(
        "the base of chained features",
        "n_1d n_7d gap share level of_world twice",
        ("n_{w}: int = count() over w", "n_{w}: int = count(note) over w"),
        adversarial=True,
    ),
    value(
        "a computed column",
        "above_max",
        ("amount - floor_amount", "floor_amount - amount"),
        adversarial=True,
    ),
    value("a lookup in a stream", "weight_sum", ("kinds[string(kind)]", 'kinds["card"]')),
    value(
        "how late a column settles", "disputes", ("settles 60d", "settles 59d"), adversarial=True
    ),
    value(
        "an enum's values",
        "mean_fee last_kind by_kind above_max weight_sum cards",
        (
            '  kind: enum("card", "cash", "gift")\n',
            '  kind: enum("card", "cash", "gift", "coin")\n',
        ),
        (
            '  last_kind: enum("card", "cash", "gift")?',
            '  last_kind: enum("card", "cash", "gift", "coin")?',
        ),
        (
            'map[enum("card", "cash", "gift"), int]',
            'map[enum("card", "cash", "gift", "coin"), int]',
        ),
        adversarial=True,
    ),
    value(
        "the key of an entity",
        OF_PAYMENTS.replace(" cards", "").replace(" world_n", "") + " failures hourly rate",
        ("entity User { user_id: int }", "entity User { user_id: string }"),
        adversarial=True,
    ),
    # --- contracts, versions --------------------------------------------------------------------
    contract("a description", "gap", ("## Difference.", "## How many before today.")),
    contract(
        "an owner", "gap", ("  ## Difference.\n", '  ## Difference.\n  @owner("x@acme.test")\n')
    ),
    contract("tags", "gap", ("  ## Difference.\n", '  ## Difference.\n  @tags("pii")\n')),
    contract("a type that may be null", "gap", ("gap: int =", "gap: int? ="), adversarial=True),
    contract("a template's description", "n_1d n_7d", ("## Payments in {w}.", "## Count in {w}.")),
    Pair(
        "a deprecation",
        (("  ## Doubled.\n", '  ## Doubled.\n  @deprecated("use n_1d")\n'),),
        {"twice": D},
    ),
    Pair(
        "a new feature",
        (("  ## Doubled.\n", "  ## One more.\n  more: int = n_1d + 1\n  ## Doubled.\n"),),
        {"more": N},
    ),
    Pair(
        "a new version",
        (("  ## Doubled.\n", "  ## More.\n  twice@2: int = n_1d * 3\n  ## Doubled.\n"),),
        {"twice@2": N},
    ),
    Pair(
        "a removed feature", (("  ## Doubled.\n  twice: int = n_1d * 2 + 1\n", ""),), {"twice": R}
    ),
    Pair(
        "a renamed feature",
        (("twice: int", "double_and_one: int"),),
        {"twice": R, "double_and_one": N},
        adversarial=True,
    ),
    Pair("one more turn of a loop", (("[1d, 7d]", "[1d, 7d, 8d]"),), {"n_8d": N}),
)
