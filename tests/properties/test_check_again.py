"""A check with the cache says what a check of everything says, whatever was edited in between."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from astrafs.cache import incremental
from astrafs.cache.incremental import check_files
from astrafs.cache.records import Counts
from astrafs.cache.store import Store
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile

Texts = dict[str, str]

SHARED = """owner "data@acme.test"

## A customer.
entity User { user_id: int }

## A shop.
entity Shop { shop_id: int }

const limit: int = 5
window recent = 7d

fn double(x: int) -> int = x * 2

## Payments.
source payments
  from parquet("p/*.parquet")
  key  txn_id
  time at
  delay 5m
  retention 90d
{
  txn_id:  string
  user_id: User
  shop_id: Shop
  amount:  decimal(12, 2)
  status:  enum("ok", "bad")
  at:      timestamp
}

## Rates.
table rates from csv("r.csv") key currency time at {
  currency: string
  rate:     float
  at:       timestamp
}
"""

CARDS = """use shared.{User, Shop, payments, recent, double}

owner "cards@acme.test"

## Good ones.
stream settled from payments where status == "ok" {
  twice: decimal(12, 2) = amount
}

features for User from settled {
  ## How many.
  n_paid: int =
    count() over recent

  ## How much.
  paid: decimal(38, 2) = sum(amount) over 30d

  for w in [1h, 7d] {
    ## Over {w}.
    n_{w}: int = count() over w
  }
}

features for Shop from payments {
  ## Sales of a shop.
  sales: int = count() over 30d

  ## The same, of old.
  @deprecated("use sales")
  sold: int = count() over 7d
}
"""

LOOKUPS = """use shared.{User, Shop, payments, double}

owner "lookups@acme.test"

## With what was known of the shop.
stream seen from payments {
  shop_sales: int? = Shop[shop_id].sales
}

features for User from seen {
  ## Sales of the shops that were visited.
  busy: int? = max(shop_sales) over 30d
}
"""

DERIVED = """use shared.{User, limit}
use cards.{n_paid, n_7d}

owner "derived@acme.test"

features for User {
  ## A ratio.
  ratio: float? = float(n_paid) / float(n_7d)

  ## Whether it is many.
  many: bool = n_paid > limit
}
"""

VIEWS = """use shared.{User}
use cards.{n_paid, paid}
use derived.{ratio}

## For the model.
view risk for User {
  n_paid
  paid
  ratio
}
"""

ALONE = """use shared.{Shop, payments}

owner "alone@acme.test"

features for Shop from payments {
  ## Bad ones.
  n_bad: int = count(where status == "bad") over 1d

  ## The last amount.
  latest: decimal(12, 2)? = last(amount) over 7d
}
"""

START: Texts = {
    "shared.afs": SHARED,
    "cards.afs": CARDS,
    "lookups.afs": LOOKUPS,
    "derived.afs": DERIVED,
    "views.afs": VIEWS,
    "alone.afs": ALONE,
    "deep/other.afs": ALONE.replace("n_bad", "n_wrong").replace("latest", "newest"),
}
WORDS = (
    "n_paid", "paid", "sales", "sold", "n_7d", "ratio", "busy", "many", "n_bad", "payments",
    "settled", "User", "Shop", "limit", "recent", "double", "amount", "status", "7d", "30d", "200d",
    "1h", "int", "float", "int?", "@deprecated", "use", "count()", "##", "{", "}", "shared", '"ok"',
    "offset 1d", "[90d, 1d)", "delay 5m", "delay 2h", "retention 3d", "retention 90d", "n_wrong",
)  # fmt: skip


def _word(text: str, chance: random.Random) -> str:
    found = list(re.finditer(r"[@\w?]+", text))
    if not found:
        return text + chance.choice(WORDS)
    match = chance.choice(found)
    return text[: match.start()] + chance.choice(WORDS) + text[match.end() :]


def _line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        case 2:
            lines.insert(at, "# a remark, with `code` and .sales")
        case 3:
            lines.insert(at, "")
        case _:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def _edit(texts: Texts, chance: random.Random) -> Texts:
    """Return ``texts`` after one edit by somebody who now and then makes a mistake."""
    texts = dict(texts)
    kind = chance.randrange(20)
    if kind == 0 and len(texts) > 2:
        del texts[chance.choice(sorted(texts))]
    elif kind == 1:
        texts[f"new{chance.randrange(3)}.afs"] = chance.choice(sorted(START.values()))
    elif kind == 2:
        version = chance.choice(["@2", ""])
        texts["more.afs"] = ALONE.replace("n_bad", f"sales{version}").replace("latest", "late")
    elif kind == 3:
        one, other = chance.choice(sorted(texts)), chance.choice(sorted(texts))
        texts[one], texts[other] = texts[other], texts[one]
    elif kind < 9:
        path = chance.choice(sorted(texts))
        texts[path] = START.get(path, ALONE)
    else:
        path = chance.choice(sorted(texts))
        change: Callable[[str, random.Random], str] = chance.choice([_word, _word, _line])
        texts[path] = change(texts[path], chance)
    return texts


def _files(texts: Texts) -> list[SourceFile]:
    return [SourceFile(path, text) for path, text in texts.items()]


def _whole(files: list[SourceFile]) -> tuple[list[Diagnostic], Counts]:
    sink = Sink()
    program = compile_project(files, sink)
    assert program is not None
    plan = program.plan
    return list(sink), Counts(len(plan.sources), len(plan.features), len(plan.views))


@pytest.mark.parametrize("seed", range(12))
def test_edits(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "MOST_SHARE", 1.0)
    chance = random.Random(seed)
    texts = kept = START
    assert not any(one.is_error for one in _whole(_files(START))[0])
    for step in range(25):
        files = _files(texts)
        sink = Sink()
        checked = check_files(files, sink, Store(tmp_path))
        assert checked is not None
        found, counts = _whole(files)
        assert list(sink) == found, f"step {step}"
        if not any(one.is_error for one in found):
            assert checked.counts == counts
            kept = texts
        texts = _edit(kept if chance.random() < 0.4 else texts, chance)
