"""More pairs: unions, revisions, requests as rows, labels, datasets, versions, tags."""

from __future__ import annotations

from tests.registry.pairs import C, D, N, Pair, R, V

LATER = """owner "risk@acme.test"

entity User { user_id: int }
entity Shop { shop_id: int }

## Card payments.
source cards from csv("data/cards.csv") key payment_id time at {
  payment_id: int
  user_id: User
  shop_id: Shop
  amount: float
  memo: string tags "pii"
  disputed: bool settles 60d
  at: timestamp
}

## Transfers.
source transfers from csv("data/transfers.csv") key payment_id time at {
  payment_id: int
  user_id: User
  shop_id: Shop
  amount: float
  memo: string
  at: timestamp
}

## Orders, which are corrected.
source orders
  from csv("data/orders.csv")
  key order_id
  time at
  known seen_at
  revisions deleted gone
{
  order_id: int
  user_id: User
  total: float
  gone: bool
  at: timestamp
  seen_at: timestamp
}

## A payment about to happen.
request Payment as cards { user_id: User  amount: float }

## All that was paid.
stream paid from union(cards, transfers)

## Small ones.
stream small from transfers where amount < 1.0

## Payments with what their shop is like.
stream scored from cards { busy: int = Shop[shop_id].visits }

features for Shop from cards {
  ## Visits.
  @deprecated("use visits@2")
  visits@1: int = count() over 7d
  ## Visits.
  visits@2: int = count() over 30d
}

features for User from paid {
  ## Paid.
  paid_n: int = count() over 7d
  ## Latest.
  latest: float? = last(amount) over 30d
}

features for User from orders {
  ## Ordered.
  ordered: float? = max(total) over 30d
}

features for User from scored {
  ## Busiest.
  busiest: int? = max(busy) over 7d
}

features for User from cards {
  ## Memos.
  memos: int = count_distinct(memo) over 7d
}

features for User from transfers {
  ## Near.
  near: int = count() over 1h
}

features for User from small {
  ## Below.
  below: int = count() over 1h
}

features for User {
  ## Near, twice.
  near_twice: int = near * 2
}

features for User {
  ## Old visits.
  old_visits: int = Shop[Shop(1)].visits@1
  ## New visits.
  new_visits: int = Shop[Shop(1)].visits
}

features for Payment from cards by user_id {
  ## Others of the user.
  others: int = count() over 1d
  ## With this one.
  with_this: int = count() over 1d including request
}

labels for User from cards {
  ## Disputed later.
  disputed_later: bool? = any(disputed) over next 30d
}

view served for User {
  paid_n
  latest
}

dataset training
  view  served
  spine transfers
  label User[user_id].disputed_later
  split train before 2026-01-01, test from 2026-06-01
"""


def later(name: str, changed: dict[str, str], *edits: tuple[str, str]) -> Pair:
    return Pair(name, edits, changed, adversarial=True, base=LATER)


LATER_PAIRS = (
    later("the horizon of a label", {"disputed_later": V}, ("over next 30d", "over next 31d")),
    later(
        "a label that is wanted in full", {"disputed_later": V}, ("any(disputed)", "all(disputed)")
    ),
    later("the split of a dataset", {}, ("train before 2026-01-01", "train before 2026-02-01")),
    later("the spine of a dataset", {}, ("spine transfers", "spine orders")),
    later("a view that a dataset reads", {}, ("  paid_n\n  latest\n", "  latest\n")),
    later("no revisions", {"ordered": V}, ("  revisions deleted gone\n", "")),
    later("revisions without deletions", {"ordered": V}, ("revisions deleted gone", "revisions")),
    later(
        "another column of a revised source",
        {"ordered": V},
        ("  total: float\n", "  total: float\n  note: string\n"),
    ),
    later(
        "the order of a union",
        {"paid_n": V, "latest": V},
        ("(cards, transfers)", "(transfers, cards)"),
    ),
    later(
        "another source of the same form",
        {"near": V, "near_twice": V},
        ("from transfers {\n  ## Near.", "from cards {\n  ## Near."),
    ),
    later(
        "the base of a stream, of the same form",
        {"below": V},
        ("stream small from transfers", "stream small from cards"),
    ),
    later(
        "a renamed member of a union",
        {},
        ("source transfers", "source moves"),
        ("(cards, transfers)", "(cards, moves)"),
        ("spine transfers", "spine moves"),
        ("User from transfers {", "User from moves {"),
        ("stream small from transfers", "stream small from moves"),
    ),
    later(
        "a member of a union left out",
        {"paid_n": V, "latest": V},
        ("union(cards, transfers)", "cards"),
    ),
    later(
        "a column that only one member has",
        {},
        ("  disputed: bool settles 60d\n", "  disputed: bool settles 60d\n  extra: int\n"),
    ),
    later(
        "when a member is known",
        {"paid_n": V, "latest": V, "near": V, "near_twice": V, "below": V},
        (
            'transfers.csv") key payment_id time at {',
            'transfers.csv") key payment_id time at delay 1s {',
        ),
    ),
    later("the request left out", {"with_this": V}, (" including request", "")),
    later(
        "the request counted",
        {"others": V},
        ("others: int = count() over 1d\n", "others: int = count() over 1d including request\n"),
    ),
    later(
        "one more field of a request",
        {"others": V, "with_this": V},
        ("user_id: User  amount: float }", "user_id: User  amount: float  shop_id: Shop }"),
    ),
    later(
        "a version pinned that was meant anyway",
        {},
        ("Shop[Shop(1)].visits\n", "Shop[Shop(1)].visits@2\n"),
        ("Shop[shop_id].visits }", "Shop[shop_id].visits@2 }"),
    ),
    later(
        "another version pinned",
        {"new_visits": V},
        ("Shop[Shop(1)].visits\n", "Shop[Shop(1)].visits@1\n"),
    ),
    later(
        "a deprecation that moves what the plain name means",
        {"visits@2": D, "visits": C, "new_visits": V, "busiest": V},
        ('  @deprecated("use visits@2")\n', ""),
        ("  visits@2: int", '  @deprecated("use visits@1")\n  visits@2: int'),
    ),
    later(
        "a newer version that the plain name means",
        {"visits@3": N, "new_visits": V, "busiest": V},
        ("  visits@2: int", "  visits@3: int = count() over 90d\n  ## Visits.\n  visits@2: int"),
    ),
    later("a tag of a column", {"memos": C}, (' tags "pii"', "")),
    later("a tag that nothing reads", {}, ("  memo: string\n", '  memo: string tags "pii"\n')),
    later(
        "a tag of what says to whom a row belongs, and of the key of a lookup",
        {"busiest": C},
        (
            "  user_id: User\n  shop_id: Shop\n",
            '  user_id: User tags "id"\n  shop_id: Shop tags "id"\n',
        ),
    ),
    later(
        "a removed label",
        {"disputed_later": R},
        (
            "labels for User from cards {\n  ## Disputed later.\n  disputed_later: bool? ="
            " any(disputed) over next 30d\n}\n",
            "",
        ),
        ("  label User[user_id].disputed_later\n", "  label amount as paid_amount\n"),
    ),
)
