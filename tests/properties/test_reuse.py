"""A backfill with kept columns gives the bytes of a full run, whatever has been edited before."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.diagnostics.model import AstrafsError
from astrafs.runtime import reuse
from astrafs.runtime.backfill import Report

INSTANT = pa.timestamp("us", "UTC")
START = datetime(2026, 1, 1, tzinfo=UTC)

HEAD = """\
owner "tests@astrafs.example"
entity User { user_id: int }
entity Shop { shop: string }

source orders
  from  parquet("data/orders*.parquet")
  key   id
  time  at
  delay 5m
{
  id:      int
  user_id: User
  shop:    Shop
  amount:  int
  price:   float?
  paid:    bool?
  at:      timestamp

  expect amount >= LEAST
}

source visits
  from parquet("data/visits.parquet")
  key  id
  time at
{
  id:      int
  user_id: User
  page:    string
  at:      timestamp
}

table names
  from parquet("data/names.parquet")
  key  shop
  time since
{
  shop:  string
  city:  string?
  since: timestamp
}

features for Shop {
  ## Where it is.
  city: string? = names[shop].city
}
"""

FEATURES = (
    ("orders", "f{n}: int = count() over {w}d"),
    ("orders", "f{n}: int = sum(amount) over {w}d"),
    ("orders", "f{n}: float? = mean(price) over {w}d"),
    ("orders", "f{n}: bool? = last(paid) over {w}d"),
    ("orders", "f{n}: list[bool?] = collect(paid, {w}) over all"),
    ("orders", "f{n}: map[Shop, int] = sum(amount) by shop over {w}d"),
    ("orders", "f{n}: int? = max(amount where paid) over last {w}"),
    ("visits", "f{n}: int = count_distinct(page) over {w}d"),
    ("visits", "f{n}: timestamp? = last(at) over {w}d"),
    ("visits", "f{n}: string? = last(page) over {w}d offset 1d"),
)


@dataclass(slots=True)
class World:
    """A project on disk, its spine and what is asked of it; ``edit`` changes something."""

    root: Path
    rng: random.Random
    features: list[tuple[int, int, int]] = field(default_factory=list)
    spine: list[tuple[int | None, datetime]] = field(default_factory=list)
    as_of: datetime = START + timedelta(days=40)
    least: int = 0
    comments: int = 0
    files: int = 0
    city: bool = False
    broken: bool = False

    def begin(self) -> None:
        """Write everything for the first time."""
        (self.root / "data").mkdir()
        (self.root / "astrafs.toml").write_text("")
        visits = [(n, n % 5, f"p{n % 4}", self.moment()) for n in range(40)]
        self.write("visits", ("id", "user_id", "page", "at"), visits)
        self.write("names", ("shop", "city", "since"), [("s1", "here", START), ("s2", None, START)])
        self.add_file()
        for _ in range(4):
            self.add_feature()
        self.append_rows()
        self.append_rows()

    def moment(self) -> datetime:
        return START + timedelta(hours=self.rng.randrange(24 * 40))

    def write(self, name: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        kinds = {"at": INSTANT, "since": INSTANT, "price": pa.float64(), "paid": pa.bool_()}
        arrays = [
            pa.array([row[place] for row in rows], kinds.get(column))
            for place, column in enumerate(columns)
        ]
        pq.write_table(pa.table(arrays, names=columns), self.root / "data" / f"{name}.parquet")

    def order(self, number: int, amount: int) -> tuple[Any, ...]:
        rng = self.rng
        price = rng.choice((None, 0.5, 1e16, -3.25))
        paid = rng.choice((None, True, False))
        user, shop = rng.randrange(5), f"s{rng.randrange(3)}"
        return (number, user, shop, amount, price, paid, self.moment())

    ORDER = ("id", "user_id", "shop", "amount", "price", "paid", "at")

    def add_file(self) -> None:
        first = 1000 * self.files
        rows = [self.order(first + n, self.rng.randrange(9)) for n in range(30)]
        self.write(f"orders{self.files}", self.ORDER, rows)
        self.files += 1

    def break_or_mend(self) -> None:
        path = self.root / "data" / "orders_bad.parquet"
        if self.broken:
            path.unlink()
        else:
            self.write("orders_bad", self.ORDER, [self.order(-1, -5)])
        self.broken = not self.broken

    def add_feature(self) -> None:
        number = len(self.features)
        kind = self.rng.randrange(len(FEATURES))
        self.features.append((number, kind, self.rng.randrange(1, 9)))

    def change_feature(self) -> None:
        place = self.rng.randrange(len(self.features))
        number, kind, width = self.features[place]
        self.features[place] = (number, kind, width % 9 + 1)

    def reorder(self) -> None:
        self.rng.shuffle(self.features)

    def append_rows(self) -> None:
        for _ in range(self.rng.randrange(1, 12)):
            self.spine.append((self.rng.choice((None, 0, 1, 2, 3, 4, 9)), self.moment()))

    def change_row(self) -> None:
        self.spine[self.rng.randrange(len(self.spine))] = (self.rng.randrange(5), self.moment())

    def change_cutoff(self) -> None:
        self.as_of = self.moment()

    def comment(self) -> None:
        self.comments += 1

    def change_contract(self) -> None:
        self.least = -10 if self.least == 0 else 0

    def toggle_city(self) -> None:
        self.city = not self.city

    def damage(self) -> None:
        kept = sorted((self.root / ".astrafs" / "results").glob("*/*/*.arrow"))
        for path in self.rng.sample(kept, min(3, len(kept))):
            data = bytearray(path.read_bytes())
            data[self.rng.randrange(len(data))] ^= 1
            path.write_bytes(bytes(data[: self.rng.choice((len(data), len(data) // 2))]))

    def lose(self) -> None:
        kept = sorted((self.root / ".astrafs" / "results").glob("*/*/*.arrow"))
        for path in self.rng.sample(kept, len(kept) // 3):
            path.unlink()

    @property
    def edits(self) -> tuple[Callable[[], None], ...]:
        return (
            self.add_file, self.break_or_mend, self.add_feature, self.change_feature, self.reorder,
            self.append_rows, self.change_row, self.change_cutoff, self.comment,
            self.change_contract, self.toggle_city, self.damage, self.lose,
        )  # fmt: skip

    def text(self) -> str:
        blocks = [HEAD.replace("LEAST", str(self.least))]
        for number, kind, width in self.features:
            rows, body = FEATURES[kind]
            declared = body.format(n=number, w=width)
            blocks.append(
                f"features for User from {rows} {{\n  ## Words {self.comments}.\n  {declared}\n}}\n"
            )
        names = "".join(f"  f{number}\n" for number, _, _ in self.features)
        looked_up = '  Shop["s1"].city as city\n' if self.city else ""
        blocks.append(f"# {self.comments}\nview vector for User {{\n{looked_up}{names}}}\n")
        return "\n".join(blocks)

    def run(
        self, output: Path, *, cache: bool, part: int | None = None
    ) -> Report | tuple[str, ...]:
        """Run the backfill into ``output``; return the codes of what stops it, if anything does."""
        (self.root / "main.afs").write_text(self.text(), "utf-8")
        users = pa.array([user for user, _ in self.spine], pa.int64())
        times = pa.array([time for _, time in self.spine], INSTANT)
        spine = self.root / "spine.parquet"
        pq.write_table(pa.table({"user_id": users, "t": times}), spine)
        project = astrafs.load(self.root)
        assert not [found for found in project.check() if found.is_error], project.check()
        try:
            return project.backfill_to(
                output, "vector", spine, self.as_of, cache=cache, partition_rows=part, threads=1
            )
        except AstrafsError as error:
            assert not output.exists()
            return tuple(sorted({found.code.id for found in error.diagnostics}))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reuse, "BLOCK", 7)
    monkeypatch.setattr(reuse, "compiler", lambda: "the same, whoever edits it during the test")


@pytest.mark.parametrize("seed", range(5))
def test_random_edits(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    world = World(tmp_path, rng)
    world.begin()
    reused = 0
    for round_ in range(7):
        ending = rng.choice((".parquet", ".arrow", ".csv", ".jsonl"))
        kept, full = tmp_path / f"kept{round_}{ending}", tmp_path / f"full{round_}{ending}"
        part = rng.choice((None, None, None, 7, 14, 3))
        first = world.run(kept, cache=True, part=part)
        second = world.run(full, cache=False)
        if isinstance(first, tuple) or isinstance(second, tuple):
            assert first == second == ("AFS0906",)
            assert world.broken
            world.break_or_mend()
        else:
            assert first.digest == second.digest
            assert kept.read_bytes() == full.read_bytes()
            assert second.reused is None
            reused += first.reused is not None
        for _ in range(rng.choice((0, 1, 1, 2))):
            rng.choice(world.edits)()
    assert reused


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a spine of 28 rows, four blocks, and four features, run once."""
    made = World(tmp_path, random.Random(11))
    made.begin()
    made.features = [(n, n, 3) for n in range(4)]
    made.spine = (made.spine * 28)[:28]
    assert ran(made).reused is None
    return made


def ran(world: World, **options: Any) -> Report:
    """Run with kept columns."""
    found = world.run(world.root / "out.parquet", cache=True, **options)
    assert isinstance(found, Report)
    return found


def facts(report: Report) -> tuple[int, int, int, int] | None:
    """Return (whole columns, columns, whole rows, rows) that came from earlier runs."""
    found = report.reused
    return found and (found.columns, found.of_columns, found.rows, found.of_rows)


def test_nothing_changed(world: World) -> None:
    assert facts(ran(world)) == (4, 4, 28, 28)


def test_comments_and_order_change_nothing(world: World) -> None:
    world.comment()
    world.reorder()
    assert facts(ran(world)) == (4, 4, 28, 28)


def test_only_a_changed_feature_is_computed(world: World) -> None:
    world.change_feature()
    assert facts(ran(world)) == (3, 4, 0, 28)


def test_only_new_rows_are_computed(world: World) -> None:
    world.spine += world.spine[:3]
    assert facts(ran(world)) == (0, 4, 28, 31)


def test_a_changed_row_computes_its_block(world: World) -> None:
    world.spine[8] = (4, START)
    assert facts(ran(world)) == (0, 4, 21, 28)


def test_rows_and_a_feature_at_once(world: World) -> None:
    world.spine += world.spine[:3]
    world.change_feature()
    assert facts(ran(world)) is None
    assert facts(ran(world)) == (4, 4, 31, 31)


def test_a_new_file_concerns_who_reads_it(world: World) -> None:
    world.features.append((9, 7, 2))  # reads visits
    ran(world)
    world.add_file()
    assert facts(ran(world)) == (1, 5, 0, 28)


def test_another_cutoff_and_another_contract(world: World) -> None:
    world.change_contract()
    assert ran(world).reused is None
    world.change_cutoff()
    assert ran(world).reused is None


def test_a_broken_contract_is_never_passed_over(world: World) -> None:
    world.break_or_mend()
    assert world.run(world.root / "bad.parquet", cache=True) == ("AFS0906",)
    world.break_or_mend()
    assert facts(ran(world)) == (4, 4, 28, 28)


def test_parts_are_the_same_and_are_kept(world: World) -> None:
    before = ran(world)
    world.change_cutoff()
    whole = world.run(world.root / "whole.parquet", cache=False)
    parted = world.run(world.root / "parted.parquet", cache=False, part=5)
    kept = ran(world, part=14)
    assert isinstance(whole, Report)
    assert isinstance(parted, Report)
    assert whole.digest == parted.digest == kept.digest != before.digest
    assert facts(ran(world)) == (4, 4, 28, 28)


def test_an_unwritable_store_only_costs_time(world: World) -> None:
    folder = world.root / ".astrafs"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    folder.write_text("a file where the directory would be")
    assert ran(world).reused is None
    assert ran(world).reused is None
