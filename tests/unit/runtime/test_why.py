"""``why`` on data in files: only a key's rows are read, and the value is what a backfill gives."""

from __future__ import annotations

import random

import pytest

import astrafs
from astrafs.plan.find import find_feature
from astrafs.reference.trace import Reading, Step
from astrafs.runtime.answer import Place
from astrafs.runtime.why import Explanation, explain_value

HOUR = 3_600_000_000
START = 1_767_225_600_000_000  # 2026-01-01
PROGRAM = """\
owner "a@b.test"
entity User { user_id: int }
entity Shop { name: string, floor: int }
entity World {}
## Payments.
source payments from csv("p.csv") key id time at known seen {
  id: int  user_id: User?  shop: string  floor: int  x: float?
  at: timestamp in "unix:us"  seen: timestamp in "unix:us"
  done: timestamp? in "unix:us" known done
}
## Corrected ones.
source orders from csv("o.csv") key id time at known seen revisions deleted gone {
  id: int  user_id: User  x: float?  gone: bool
  at: timestamp in "unix:us"  seen: timestamp in "unix:us"
}
## Rates.
table rates from csv("r.csv") key shop time at max_age 2d {
  shop: string  rate: float  at: timestamp in "unix:us"
}
stream rated from payments where x is not null {
  place: Shop = Shop(lower(shop), floor // 2)
  rate: float? = rates[shop].rate
  before: int = User[user_id].count_1d
}
stream done from rated time done where done is not null { late: float? = x * 2.0 }
stream acts from union(payments, orders) where x is null or x < 90.0 { }
features for User from payments {
  ## A.
  count_1d: int = count() over 1d
  ## B.
  last_3: float? = mean(x where floor > 0) over last 3 within 2d
}
features for Shop from rated {
  ## C.
  worth: float = sum(x * rate) over 1d offset 6h
  ## D.
  seen_before: int = sum(before) over 12h every 6h
}
features for Shop from done {
  ## E.
  done_1d: int = count() over 1d including now
}
features for User from acts {
  ## F.
  acts: int = count() over session gap 6h
  ## G.
  since: int = count() over since last (x > 80.0)
}
features for User from orders {
  ## H.
  amounts: list[float] = collect(x, 4) over all
  ## I.
  rate_then: float? = rates["s"].rate offset 5h
}
features for World from rated {
  ## J.
  total: float = sum(x) over since day("Europe/Paris")
  ## K.
  share: float? = total / float(Shop["s", 0].done_1d)
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> astrafs.Project:
    """A project with a few days of random rows."""
    root = tmp_path_factory.mktemp("why")
    rng = random.Random(5)

    def moment(hours: float) -> int:
        return START + int(rng.uniform(0, hours) * 4) * HOUR // 4

    def cell(value: object, null: float = 0.1) -> str:
        return "" if rng.random() < null else str(value)

    lines = {"p.csv": ["id,user_id,shop,floor,x,at,seen,done"], "r.csv": ["shop,rate,at"]}
    lines["o.csv"] = ["id,user_id,x,gone,at,seen"]
    for n in range(220):
        at = moment(72)
        user, x = cell(rng.randint(1, 4)), cell(round(rng.uniform(0, 99), 2))
        shop, floor = rng.choice("sSz"), rng.randint(0, 3)
        seen = at + rng.randint(0, 3) * HOUR
        done = cell(at + rng.randint(0, 9) * HOUR, 0.3)
        lines["p.csv"].append(f"{n},{user},{shop},{floor},{x},{at},{seen},{done}")
    for n in range(60):
        at = moment(72)
        for revision in range(rng.randint(1, 3)):
            x = cell(round(rng.uniform(0, 99), 2))
            gone = str(rng.random() < 0.2).lower()
            seen = at + (2 * revision + rng.randint(0, 1)) * HOUR
            lines["o.csv"].append(f"{n},{rng.randint(1, 3)},{x},{gone},{at},{seen}")
    for _ in range(25):
        lines["r.csv"].append(f"{rng.choice('sS')},{rng.randint(1, 9) / 4},{moment(60)}")
    for name, body in lines.items():
        (root / name).write_text("\n".join(body) + "\n", encoding="utf-8")
    (root / "m.afs").write_text(PROGRAM, encoding="utf-8")
    found = astrafs.load(root)
    assert [one for one in found.check() if one.is_error] == []
    return found


def explained(
    project: astrafs.Project, name: str, keys: tuple[object, ...], t: int, as_of: int
) -> Explanation:
    """Explain one value."""
    assert project.program is not None
    place = Place(project.config.root, project.config.roots, project.config.sources)
    feature = find_feature(project.program, name)
    return explain_value(project.program, place, feature, keys, t, as_of, 3)


@pytest.mark.parametrize(
    "name",
    [
        "count_1d",
        "last_3",
        "worth",
        "seen_before",
        "done_1d",
        "acts",
        "since",
        "amounts",
        "rate_then",
        "total",
        "share",
    ],
)
def test_the_rows_of_a_key_give_what_duckdb_gives(project: astrafs.Project, name: str) -> None:
    rng = random.Random(name)
    entity = "World" if name in ("total", "share") else "User"
    entity = "Shop" if name in ("worth", "seen_before", "done_1d") else entity
    values = set()
    for _ in range(4):
        t = START + rng.randint(20, 80) * HOUR
        as_of = rng.choice([t, t, t - 5 * HOUR, t + 5 * HOUR])
        keys: dict[str, tuple[object, ...]] = {
            "World": (),
            "User": (rng.randint(1, 3),),
            "Shop": ("s", rng.randint(0, 1)),
        }
        found = explained(project, name, keys[entity], t, as_of)
        assert found.agree, (t, as_of, keys[entity], found.value, found.step)
        values.add(repr(found.value))
    assert len(values) > 1, "the data says nothing about this feature"


def readings(step: Step) -> list[Reading]:
    """All readings below a step."""
    found: list[Reading] = []
    for part in step.parts:
        found += [part] if isinstance(part, Reading) else readings(part)
    return found


def test_a_count_is_as_many_rows_as_are_in(project: astrafs.Project) -> None:
    for hour in (30, 50, 70):
        found = explained(project, "count_1d", (1,), START + hour * HOUR, START + hour * HOUR)
        (reading,) = readings(found.step)
        inside = sum(verdict.inside for verdict in reading.verdicts) + reading.left_out[0]
        assert inside == found.value > 0
        assert all(verdict.reason for verdict in reading.verdicts if not verdict.inside)
        assert reading.others == 0
