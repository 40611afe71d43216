"""A load puts the rows known at its time into what a store lacks, also after it was killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import astrafs
from astrafs.diagnostics.codes.online import NO_VIEWS, NOT_LOADED
from astrafs.diagnostics.model import AstrafsError
from astrafs.online import loading
from astrafs.online.engine import Engine
from astrafs.online.heads import Head
from astrafs.online.layout import Layout
from astrafs.online.manifest import Manifest, change_manifest, read_manifest
from astrafs.online.served import chosen_views, restricted
from astrafs.online.service import Online
from astrafs.online.store import MemoryStore, Store
from astrafs.online.stores import open_store
from astrafs.runtime.answer import Place
from astrafs.values.times import instant

BASE = """
owner "a@b.test"
entity User { user_id: int }
entity Shop { shop: string }

source orders from jsonl("orders.jsonl") key id time at known seen {
  id:      int
  user_id: User
  shop:    Shop
  amount:  decimal(10, 2)
  kind:    enum("web", "till")
  at:      timestamp
  seen:    timestamp
}

source visits from jsonl("visits.jsonl") key id time at known seen revisions {
  id:      int
  user_id: User
  pages:   int
  seen:    timestamp
  at:      timestamp
}

table shops from jsonl("shops.jsonl") key shop time at {
  shop: string
  size: int
  at:   timestamp
}

## Orders with the size of the shop at their time.
stream sized from orders where amount > 1.00 {
  size: int? = shops[string(shop)].size
}

features for User from orders {
  ## Orders.
  n: int = count() over 7d
  ## Amount.
  total: decimal(38, 2) = sum(amount) over all
}
features for Shop from orders where kind == "web" {
  ## Web orders.
  web: int = count() over 30d
}
features for User from sized {
  ## Sizes.
  sizes: int? = sum(size) over all
}
features for User from visits {
  ## Pages.
  pages: int? = sum(pages) over all
}
features for Shop {
  ## Size.
  size: int? = shops[string(shop)].size
}
view user for User { n total sizes pages }
view shop for Shop { web size }
"""
MORE = """
features for User from orders where kind == "till" {
  ## Till orders.
  till: int = count() over all
}
view tills for User { till }
"""
MOVED = """
## Orders when they were seen, with a mark.
stream seen_orders from orders
  time seen
  where amount > 0.50 and kind == "web"
{
  large: bool = amount > 2.50
  spent: float = float(amount) * 1.5
}
## The large ones an hour later.
stream later from seen_orders
  time later_at
  where large
{
  later_at: timestamp = seen + 1h
  words: string = string(shop)
  age: duration = t - at
}
entity Pair { user_id: User, shop: Shop }
features for Pair from later by user_id, shop where age > 3h {
  ## Number.
  n: int = count() over 7d
  ## Words.
  words: list[string] = collect(words, 3) over all
  ## Spent.
  spent: float = sum(spent where not large or spent > 3.0) over all
}
features for User from seen_orders {
  ## Mean.
  mean: float? = mean(spent) over 1d
}
view pair for Pair { n words spent }
view means for User { mean }
"""
BACKWARDS = """
## Orders before they were.
stream backwards from orders
  time before_at
{
  before_at: timestamp = at - 1h
}
features for User from backwards {
  ## Number.
  n_before: int = count() over 7d
}
view earlier for User { n_before }
"""
LARGE = """
## Orders of a size that no exact sum takes.
stream huge from orders {
  size: float = float(amount) * 1e30
}
features for User from huge {
  ## Sum.
  sum_huge: float = sum(size) over 7d
}
view huges for User { sum_huge }
"""
AS_OF = "2026-02-01T00:00:00Z"
AT = "2026-01-25T12:00:00Z"


def iso(hour: int) -> str:
    return f"2026-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z"


def rows() -> dict[str, list[dict[str, Any]]]:
    """Rows of all sources; some are known only after ``AS_OF``."""
    chance = random.Random(5)
    orders, visits = [], []
    for number in range(400):
        hour = chance.randrange(24 * 30)
        late = number % 40 == 7
        orders.append(
            {
                "id": number,
                "user_id": chance.randrange(30),
                "shop": f"s{chance.randrange(4)}",
                "amount": f"{chance.randrange(500) / 100:.2f}",
                "kind": chance.choice(("web", "till")),
                "at": iso(hour),
                "seen": "2026-02-02T00:00:00Z" if late else iso(min(hour + 5, 719)),
            }
        )
    for number in range(60):
        hour = chance.randrange(24 * 20)
        visits += [
            {
                "id": number,
                "user_id": chance.randrange(30),
                "pages": chance.randrange(10),
                "at": iso(hour),
                "seen": iso(hour + revision),
            }
            for revision in range(1 + number % 3)
        ]
    shops = [
        {"shop": f"s{number % 4}", "size": number, "at": iso(24 * number)} for number in range(12)
    ]
    return {"orders": orders, "visits": visits, "shops": shops}


def project(directory: Path, more: str = "") -> astrafs.Project:
    (directory / "m.afs").write_text(BASE + more)
    for name, found in rows().items():
        text = "".join(json.dumps(row) + "\n" for row in found)
        (directory / f"{name}.jsonl").write_text(text)
    found_project = astrafs.load(directory)
    assert [one.title for one in found_project.check() if one.is_error] == []
    return found_project


def serve(found: astrafs.Project, store: Store) -> Online:
    assert found.program is not None
    return Online(found.program, store, lambda: 0, Place(found.config.root, found.config.roots, {}))


class StopError(Exception):
    """The progress of a load ends it."""


class Stop:
    """Ends a load at its n-th step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, _index: int, _total: int, _name: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise StopError


def answers(online: Online) -> dict[str, Any]:
    users = [{"user_id": number} for number in range(31)]
    shops = [{"shop": f"s{number}"} for number in range(5)]
    return {
        "user": online.answer("user", users, AT),
        "shop": online.answer("shop", shops, AT),
    }


def kept(store: Store) -> int:
    """How many rows of groups there are."""
    return sum(block.rows for _, data in store.scan(b"h") for block in Head.read(data).blocks)


def expected(found: astrafs.Project) -> dict[str, Any]:
    """The answers of a backfill."""
    times = [instant(AT, "at")]
    made = {}
    for view, key, values in (
        ("user", "user_id", list(range(31))),
        ("shop", "shop", [f"s{number}" for number in range(5)]),
    ):
        spine = pa.table(
            {key: values, "t": pa.array(times * len(values), pa.timestamp("us", "UTC"))}
        )
        table = found.backfill(view, spine, AS_OF).drop_columns([key, "t"])
        made[view] = [
            {name: f"{one}" if name == "total" else one for name, one in row.items()}
            for row in table.to_pylist()
        ]
    return made


@pytest.fixture(params=["columns", "rows"])
def orders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns are worked out by SQL, or row by row; in small batches."""
    monkeypatch.setattr(loading, "BATCH_ROWS", 100)
    monkeypatch.setattr(loading, "COLUMN_ROWS", 90)
    if request.param == "rows":
        monkeypatch.setattr(loading, "statement", lambda *_: None)


@pytest.mark.usefixtures("orders")
class TestLoad:
    def test_it_answers_as_a_backfill_does(self, tmp_path: Path) -> None:
        found, store = project(tmp_path), MemoryStore()
        online = serve(found, store)
        done = online.load(AS_OF)
        assert dict(done.rows) == {"m.shops": 12, "m.orders": 390, "m.visits": 120}
        assert (done.conflicts, done.refused) == (0, ())
        assert answers(online) == expected(found)
        assert list(store.scan(b"l")) == []
        assert read_manifest(store).as_of == instant(AS_OF, "as_of")
        again = online.load(AS_OF)
        assert dict(again.rows) == {}

    def test_loaded_rows_that_come_again_count_once(self, tmp_path: Path) -> None:
        found, store = project(tmp_path), MemoryStore()
        online = serve(found, store)
        online.load(AS_OF)
        before, all_rows = answers(online), rows()
        late = [row for row in all_rows["orders"] if row["seen"] > AS_OF]
        done = online.ingest("orders", all_rows["orders"])
        assert (done.taken, done.repeated, done.refused) == (len(late), 390, ())
        assert online.ingest("visits", all_rows["visits"]).repeated == 120
        assert online.ingest("shops", all_rows["shops"]).repeated == 12
        assert answers(online) == before

    def test_it_goes_on_wherever_it_was_stopped(self, tmp_path: Path) -> None:
        found, whole = project(tmp_path), MemoryStore()
        online = serve(found, whole)
        online.load(AS_OF)
        want, count = answers(online), kept(whole)
        store, at, stops = MemoryStore(), 1, 0
        while True:
            part = serve(found, store)
            try:
                part.load(AS_OF, Stop(at))
                break
            except StopError:
                stops += 1
                at = at + 1 if at < 6 else at
        assert stops > 3
        assert (answers(part), kept(store)) == (want, count)
        assert list(store.scan(b"l")) == []

    def test_other_files_begin_anew(self, tmp_path: Path) -> None:
        found, store = project(tmp_path), MemoryStore()
        with pytest.raises(StopError):
            serve(found, store).load(AS_OF, Stop(9))
        row = {**rows()["orders"][0], "id": 1_000, "at": iso(0), "seen": iso(0)}
        with (tmp_path / "orders.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        online = serve(found, store)
        assert dict(online.load(AS_OF).rows)["m.orders"] == 391
        assert answers(online) == expected(found)

    def test_rows_ingested_before_stay_and_count_once(self, tmp_path: Path) -> None:
        found, store = project(tmp_path), MemoryStore()
        online = serve(found, store)
        assert online.ingest("orders", rows()["orders"][:50]).taken == 50
        online.load(AS_OF)
        assert answers(online) == expected(found)

    def test_a_row_that_is_there_with_other_values_is_told(self, tmp_path: Path) -> None:
        found, store = project(tmp_path), MemoryStore()
        online = serve(found, store)
        other = {**rows()["orders"][0], "amount": "99.99"}
        assert online.ingest("orders", [other]).taken == 1
        done = online.load(AS_OF)
        assert done.conflicts
        assert {one.code.id for one in done.refused} == {"AFS1004"}


def test_only_what_is_missing_is_loaded(tmp_path: Path) -> None:
    found, store = project(tmp_path), MemoryStore()
    serve(found, store).load(AS_OF)
    manifest = read_manifest(store)
    assert manifest.views == ("m.shop", "m.user")
    changed = project(tmp_path, MORE)
    assert changed.program is not None
    assert chosen_views(changed.program, ()) == ("m.shop", "m.tills", "m.user")
    store.write({b"m": None})
    views = ("m.shop", "m.tills", "m.user")
    change_manifest(
        store, lambda _: Manifest(views, manifest.groups, manifest.tables, manifest.as_of)
    )
    online = serve(changed, store)
    with pytest.raises(AstrafsError) as refused:
        online.answer("tills", [{"user_id": 1}], AT)
    assert [one.code for one in refused.value.diagnostics] == [NOT_LOADED]
    assert dict(online.load(AS_OF).rows) == {"m.orders": 390}
    (one,) = serve(changed, store).answer("tills", [{"user_id": 1}], AT)
    assert one["till"] > 0


def test_a_project_without_views_serves_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.afs").write_text("entity User { user_id: int }\n")
    with pytest.raises(AstrafsError) as refused:
        astrafs.load(tmp_path).open_online(create=True)
    assert [one.code for one in refused.value.diagnostics] == [NO_VIEWS]


def test_broken_rows_stop_a_load(tmp_path: Path) -> None:
    found, store = project(tmp_path), MemoryStore()
    with (tmp_path / "orders.jsonl").open("a") as file:
        file.write(json.dumps({**rows()["orders"][0], "id": 5_000, "kind": "post"}) + "\n")
    with pytest.raises(AstrafsError) as refused:
        serve(found, store).load(AS_OF)
    assert [one.code.id for one in refused.value.diagnostics] == ["AFS0906"]
    assert refused.value.files


KILLED = """
import sys
import astrafs
from astrafs.online import loading
loading.BATCH_ROWS = 16
with astrafs.load(sys.argv[1]).open_online(create=True) as online:
    print("ready", flush=True)
    online.load("2026-02-01T00:00:00Z")
"""


def test_a_killed_load_goes_on(tmp_path: Path) -> None:
    found = project(tmp_path)
    chance = random.Random(3)
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            try:
                process.wait(chance.random() * 0.8)
            except subprocess.TimeoutExpired:
                process.kill()
    with found.open_online() as online:
        online.load(AS_OF)
        assert answers(online) == expected(found)
    store = open_store(tmp_path / ".astrafs" / "online")
    assert list(store.scan(b"l")) == []
    store.close()


def one_schema(_name: bytes) -> pa.Schema:
    raise AssertionError("all blocks have the columns of the program")


def test_columns_by_sql_are_those_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(tmp_path, MOVED)
    stores = []
    for taken in (0, 1):
        store = MemoryStore()
        if taken:
            monkeypatch.setattr(loading, "statement", lambda *_: None)
        serve(found, store).load(AS_OF)
        program = found.program
        assert program is not None
        layout = Layout(Engine(restricted(program, chosen_views(program, ())).plan))
        by_statement = {
            shape.group.rows
            for shape in layout.shapes
            if loading.statement(program.plan, shape, layout.columns(shape))
        }
        assert by_statement == (set() if taken else {"m.orders", "m.seen_orders", "m.later"})
        forms = {layout.names[shape]: form for shape, form in layout.forms.items()}
        stores.append(
            {
                key: forms[key[1:13]].decode(data, one_schema).to_pylist()
                if key[:1] == b"b" and key[1:13] in forms
                else data
                for key, data in store.scan(b"")
                if key[:1] in b"brtvksm"
            }
        )
    by_sql, by_rows = stores
    assert by_sql.keys() == by_rows.keys()
    assert by_sql == by_rows


def test_a_row_that_a_stream_may_not_have_is_refused_by_name(tmp_path: Path) -> None:
    found, store = project(tmp_path, BACKWARDS), MemoryStore()
    done = serve(found, store).load(AS_OF)
    assert done.conflicts == 390
    assert "would move to an earlier time" in done.refused[0].title


def test_floats_beyond_exact_sums_stop_a_load(tmp_path: Path) -> None:
    found, store = project(tmp_path, LARGE), MemoryStore()
    with pytest.raises(AstrafsError) as refused:
        serve(found, store).load(AS_OF)
    assert [one.code.id for one in refused.value.diagnostics] == ["AFS0936"]
