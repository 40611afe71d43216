"""A small project for tests of serving: keys of several kinds, a request, outputs of all types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import astrafs
from astrafs.online.service import Online
from astrafs.online.store import MemoryStore, Store

PROGRAM = """
owner "serving@acme.test"

entity User { user_id: int }
entity Pair { user_id: int, shop: string }
entity World {}

source orders from jsonl("orders.jsonl") key order_id time at known seen_at {
  order_id: int
  user_id:  User
  shop:     string
  amount:   decimal(10, 2)
  weight:   float?
  tags:     list[string]
  kind:     enum("web", "till")
  at:       timestamp
  seen_at:  timestamp

  expect amount >= 0
}

table users from jsonl("users.jsonl") key user_id time at {
  user_id: User
  country: string
  at:      timestamp
}

features for User from orders {
  ## Orders in a day.
  n_1d: int = count() over 1d
  ## Amount of all orders.
  spent: decimal(38, 2) = sum(amount) over all
  ## Mean weight.
  weight: float? = mean(weight) over 7d
  ## When the latest order was.
  last_at: timestamp? = last(at) over all
  ## On which day.
  last_day: date? = last(date(at, "UTC")) over all
  ## Tags of the latest orders.
  tags: list[string] = collect(each tags, 5) over all
  ## Orders per kind.
  kinds: map[enum("web", "till"), int] = count() by kind over all
}

features for User from orders where kind == "web" {
  ## Orders in the web.
  web: int = count() over all
}

features for User {
  ## Country of the user.
  country: string? = users[User(user_id)].country
  ## Too much where there are two orders.
  huge: int = n_1d * 9_000_000_000_000_000_000
  ## How long ago the latest order was.
  since: duration? = t - last_at
}

features for Pair from orders {
  ## Orders of the user in the shop.
  n: int = count() over all
}

features for World from orders {
  ## All orders.
  n: int = count() over all
}

request Checkout {
  user_id: User
  amount:  decimal(10, 2)
  coupon:  string?
}

features for Checkout {
  ## Amount above all that was spent.
  above: decimal(38, 2) = amount - User[user_id].spent
  ## Whether there is a coupon.
  coupon_given: bool = coupon is not null
}

view user for User { n_1d web spent weight last_at last_day tags kinds country since }
view huge for User { huge }
view pair for Pair { n }
view world for World { n }
view checkout for Checkout { above coupon_given User[user_id].n_1d }
"""

DAY = 86_400_000_000


def order(number: int, user: int, hour: int, **more: Any) -> dict[str, Any]:
    """Return an order of 2026-01-01 plus ``hour`` hours, as JSON has it."""
    at = f"2026-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z"
    row = {
        "order_id": number,
        "user_id": user,
        "shop": "s1",
        "amount": "2.50",
        "weight": 0.1 * number,
        "tags": [f"t{number}"],
        "kind": "web",
        "at": at,
        "seen_at": at,
    }
    return {**row, **more}


ORDERS = [
    order(1, 7, 1),
    order(2, 7, 2, kind="till", shop="s2"),
    order(3, 8, 30, weight=None, tags=["a", "b"]),
    order(4, 7, 49),
]
USERS = [{"user_id": 7, "country": "DE", "at": "2026-01-01T00:00:00Z"}]


def write_project(folder: Path) -> Path:
    """Write the project and its data into ``folder``."""
    (folder / "astrafs.toml").write_text('[project]\nname = "shop"\n', "utf-8")
    (folder / "shop.afs").write_text(PROGRAM, "utf-8")
    for name, rows in (("orders", ORDERS), ("users", USERS)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, "utf-8")
    return folder


def served(project: astrafs.Project, store: Store | None = None, now: int = 0) -> Online:
    """Return the project served with its rows in."""
    assert project.program is not None, project.check()
    online = Online(project.program, store or MemoryStore(), lambda: now)
    assert not online.ingest("users", USERS).refused
    assert not online.ingest("orders", ORDERS).refused
    return online
