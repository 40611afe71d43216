"""Rows that no question can see any more are dropped as time goes by, in every store alike, and no
answer that may still be asked changes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from random import Random
from typing import Any

import pytest

from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.online.engine import Engine
from astrafs.online.history import STEP, History
from astrafs.online.layout import Layout
from astrafs.online.manifest import read_manifest
from astrafs.online.service import Online
from astrafs.online.store import MemoryStore, Store
from astrafs.online.stores import open_store
from astrafs.online.writer import Writer
from astrafs.plan.program import Program
from astrafs.source import SourceFile
from astrafs.values.times import iso
from tests.unit.online import other

PROGRAM = """
owner "history@acme.test"

entity User { user_id: int }
entity Shop { shop: string }

source orders from csv("orders.csv") key order_id time at known seen_at {
  order_id: int
  user_id: User
  shop: Shop
  amount: int
  at: timestamp
  seen_at: timestamp
}

source quotes from csv("quotes.csv") key quote_id time at known seen_at revisions {
  quote_id: int
  user_id: User
  price: float
  at: timestamp
  seen_at: timestamp
}

source visits from csv("visits.csv") key visit_id time at {
  visit_id: int
  user_id: User
  at: timestamp
}

table tiers from csv("tiers.csv") key user_id time at {
  user_id: User
  tier: string
  at: timestamp
}

features for User from orders {
  ## Days.
  n_3d: int = count() over 3d
  ## Longer ago.
  offset_sum: int = sum(amount) over 4d offset 6d
  ## Words.
  ids: list[int] = collect(order_id, 5) over 8d
  ## A few.
  last_few: int = sum(amount) over last 3 within 5d
  ## Of the day.
  today: int = count() over since day("UTC")
}

features for User from quotes {
  ## Price.
  price: float? = mean(price) over 5d
}

features for User from visits {
  ## All there ever were.
  visits: int = count() over all
}

stream richer from orders { rich: bool = User[user_id].n_3d > 1 }

features for Shop from richer {
  ## Of its better customers.
  rich: int = sum(amount where rich) over 2d
}

features for User {
  ## The tier.
  tier: string? = tiers[User(user_id)].tier
}

view u for User { n_3d offset_sum ids last_few today price visits tier }
view s for Shop { rich }
"""
HOUR = 3_600_000_000
DAY = 24 * HOUR
DAYS = 60
EVERY = 15
USERS = 1
SHOPS = ("a", "b")
LENGTH = 2 * DAY

Row = dict[str, Any]


@cache
def program() -> Program:
    sink = Sink()
    found = compile_project((SourceFile("m.afs", PROGRAM),), sink)
    assert found is not None
    assert [one.title for one in sink if one.is_error] == []
    return found


@cache
def layout() -> Layout:
    return Layout(Engine(program().plan))


def _late(rng: Random) -> int:
    return rng.randrange(30 * DAY) if rng.random() < 0.1 else 0


def arrivals(seed: int, rows: int = 2_000) -> list[tuple[int, str, list[Row]]]:
    """Return batches of rows in the order in which they become known, some of them days after
    their event, each with the time when its last one does.
    """
    rng = Random(seed)
    sources = ("m.orders", "m.quotes", "m.tiers", "m.visits")
    given: dict[str, list[tuple[int, Row]]] = {source: [] for source in sources}
    for number in range(rows):
        at = rng.randrange(DAYS * DAY)
        seen = at + rng.choice((0, rng.randrange(HOUR), rng.randrange(3 * DAY), _late(rng)))
        row: Row = {"user_id": rng.randrange(USERS), "at": at, "seen_at": seen}
        match rng.randrange(20):
            case 0:
                row |= {"quote_id": rng.randrange(rows // 30), "price": rng.uniform(0, 9)}
                given["m.quotes"].append((seen, row))
            case 1:
                tier = {"user_id": row["user_id"], "tier": f"t{number}", "at": at}
                given["m.tiers"].append((at, tier))
            case 2:
                visit = {"visit_id": number, "user_id": row["user_id"], "at": at}
                given["m.visits"].append((at, visit))
            case _:
                row |= {"order_id": number, "shop": rng.choice(SHOPS), "amount": rng.randrange(99)}
                given["m.orders"].append((seen, row))
    batches = []
    for source, found in given.items():
        found.sort(key=lambda pair: pair[0])
        for start in range(0, len(found), 50):
            part = found[start : start + 50]
            batches.append((part[-1][0], source, [row for _, row in part]))
    return sorted(batches, key=lambda one: one[0])


class Kept:
    """A store of the program, with rows dropped as time goes by or not."""

    def __init__(self, store: Store, *, dropping: bool) -> None:
        self.store = store
        self.writer = Writer(layout(), store)
        self.history = History(store, layout(), LENGTH) if dropping else None
        self._online = Online(program(), store, lambda: 0)

    def all(self, times: Sequence[int]) -> list[dict[str, object]]:
        users = [{"user_id": user, "t": iso(t)} for t in times for user in range(USERS)]
        shops = [{"shop": shop, "t": iso(t)} for t in times for shop in SHOPS]
        return [*self._online.answer("m.u", users), *self._online.answer("m.s", shops)]


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(AstrafsError) as caught:
        work()
    return caught.value.diagnostics[0].code.id


def blocks(store: Store) -> int:
    return len(list(store.scan(b"b")))


def test_dropping_changes_no_answer_that_may_be_asked(make_store: Callable[[], Store]) -> None:
    whole = Kept(MemoryStore(), dropping=False)
    dropping = Kept(make_store(), dropping=True)
    assert dropping.history is not None
    rng = Random(1)
    day, dropped, late = EVERY, 0, 0
    for known, source, rows in arrivals(1):
        while known >= day * DAY:
            now = day * DAY
            found = dropping.history.follow(now)
            dropped += 0 if found is None else found.rows
            floor = (now - LENGTH) // STEP * STEP
            times = [floor, now, *(rng.randint(floor, now) for _ in range(2))]
            assert dropping.all(times) == whole.all(times)
            assert read_manifest(dropping.store).floor == floor
            assert code_of(partial(dropping.all, [now, floor - 1])) == "AFS1011"
            day += EVERY
        assert whole.writer.ingest(source, rows).taken == len(rows)
        done = dropping.writer.ingest(source, rows)
        assert done.taken + done.expired == len(rows)
        late += done.expired
    assert dropped > 200
    assert late > 0
    assert blocks(dropping.store) < blocks(whole.store)


def test_dropping_ends_the_same_in_every_store(make_store: Callable[[], Store]) -> None:
    stores = (make_store(), MemoryStore())
    for store in stores:
        writer, history = Writer(layout(), store), History(store, layout(), LENGTH)
        given = arrivals(3, 2_000)
        for place, (known, source, rows) in enumerate(given):
            writer.ingest(source, rows)
            if place % 20 == 0:
                history.follow(known)
        assert history.follow(given[-1][0] + DAY) is not None
    one, two = (dict(store.scan(b"")) for store in stores)
    assert one.keys() == two.keys()
    # Heads hold a version that no two writers have in common.
    assert [key for key in one if one[key] != two[key] and key[:1] != b"h"] == []


def test_a_store_does_not_grow_for_ever() -> None:
    store = MemoryStore()
    writer, history = Writer(layout(), store), History(store, layout(), LENGTH)
    sizes = []
    for day in range(60):
        rows = [
            {"order_id": at, "user_id": 0, "shop": SHOPS[0], "amount": 1, "at": at, "seen_at": at}
            for at in range(day * DAY, day * DAY + 150)
        ]
        assert writer.ingest("m.orders", rows).taken == len(rows)
        history.follow((day + 1) * DAY)
        sizes.append(sum(len(key) + len(value) for key, value in store.scan(b"")))
    assert max(sizes[45:]) <= 1.3 * max(sizes[20:35])


def test_the_floor_follows_the_clock_in_steps_and_never_back(store: Store) -> None:
    history = History(store, layout(), LENGTH)
    start = 100 * DAY
    assert history.follow(start) is not None
    for now in (start, start + STEP - 1, start - DAY):
        assert history.follow(now) is None
    assert read_manifest(store).floor == start - LENGTH
    assert history.follow(start + STEP) is not None
    assert read_manifest(store).floor == start - LENGTH + STEP
    # What another process has done is not done again.
    assert History(store, layout(), LENGTH).follow(start + STEP) is None
    assert History(store, layout(), 2 * LENGTH).follow(start + STEP) is None
    assert read_manifest(store).floor == start - LENGTH + STEP


def test_dropping_beside_ingestion_ends_with_the_service(place: str) -> None:
    store = open_store(place, create=True)
    for _, source, rows in arrivals(7):
        Writer(layout(), store).ingest(source, rows)
    before = blocks(store)
    now = DAYS * DAY
    online = Online(program(), store, lambda: now, history=LENGTH)
    assert not online.ingest("tiers", []).refused
    online.close()  # whether it has come far or not
    store = open_store(place)
    now += STEP
    with Online(program(), store, lambda: now, history=LENGTH) as online:
        assert online.tidy() is not None
        assert online.tidy() is None
        assert blocks(store) < before
        assert read_manifest(store).floor == now - LENGTH


def test_questions_during_dropping_are_right_or_refused(make_store: Callable[[], Store]) -> None:
    whole, dropping = Kept(MemoryStore(), dropping=False), Kept(make_store(), dropping=True)
    for _, source, rows in arrivals(4, 2_000):
        whole.writer.ingest(source, rows)
        dropping.writer.ingest(source, rows)
    history = dropping.history
    assert history is not None
    wanted = {day: whole.all([day * DAY]) for day in range(2, DAYS + 16, 15)}
    thread = threading.Thread(
        target=lambda: [history.follow(half * DAY // 2) for half in range(8, 2 * DAYS, 3)]
    )
    thread.start()
    answered = refused = 0
    while thread.is_alive() or not refused:
        for day, answer in wanted.items():
            try:
                assert dropping.all([day * DAY]) == answer
                answered += 1
            except AstrafsError as error:
                assert error.diagnostics[0].code.id == "AFS1011"
                refused += 1
    thread.join()
    assert answered > 0


def test_dropping_that_is_interrupted_is_done_by_the_next(place: str) -> None:
    store = open_store(place, create=True)
    writer = Writer(layout(), store)
    for _, source, rows in arrivals(5):
        writer.ingest(source, rows)
    before = blocks(store)

    class StoppedError(Exception):
        """The process ends here."""

    class Stopping:
        def __init__(self, writes: int) -> None:
            self._left = writes

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def write(self, *arguments: Any) -> bool:
            self._left -= 1
            if self._left < 0:
                raise StoppedError
            return store.write(*arguments)

    with pytest.raises(StoppedError):
        History(Stopping(3), layout(), LENGTH).follow(DAYS * DAY)  # type: ignore[arg-type]
    partly = blocks(store)
    assert read_manifest(store).floor == DAYS * DAY - LENGTH
    assert History(store, layout(), LENGTH).follow(DAYS * DAY + STEP) is not None
    assert blocks(store) < partly <= before
    store.close()


def test_several_processes_may_drop_and_write_at_once(place: str) -> None:
    store = open_store(place, create=True)
    given = arrivals(6, 1_500)

    def work() -> None:
        history = History(store, layout(), LENGTH)
        writer = Writer(layout(), store)
        for known, source, rows in given:
            history.follow(known)
            writer.ingest(source, rows)

    with ThreadPoolExecutor() as pool:
        children = [pool.submit(other.in_a_fork, work) for _ in range(2)]
        assert all(child.result() for child in children)
    now = given[-1][0]
    whole = Kept(MemoryStore(), dropping=False)
    for _, source, rows in given:
        whole.writer.ingest(source, rows)
    times = [now - LENGTH + STEP, now]
    assert Kept(store, dropping=False).all(times) == whole.all(times)
    store.close()
