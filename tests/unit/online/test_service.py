"""Serving gives the values of a backfill for keys and requests of every form, and refuses others
with a code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import astrafs
from astrafs import AstrafsError
from astrafs.online.engine import Engine
from astrafs.online.layout import Layout
from astrafs.online.manifest import change_manifest, read_manifest
from astrafs.online.served import restricted
from astrafs.online.service import Online
from astrafs.online.store import MemoryStore, Store
from astrafs.online.stores import open_store
from tests.unit.online.shop import DAY, ORDERS, order, served, write_project

AT = "2026-01-04T00:00:00Z"
T = datetime(2026, 1, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> astrafs.Project:
    """Return the project, with its data on disk."""
    found = astrafs.load(write_project(tmp_path_factory.mktemp("shop")))
    assert not found.check()
    return found


@pytest.fixture(scope="module")
def online(project: astrafs.Project) -> Online:
    """Return the project served with all of its rows; now is 2026-01-04."""
    return served(project, now=int(T.timestamp()) * 1_000_000)


def code_of(ask: Callable[[], object]) -> str:
    """Return the code with which ``ask`` is refused."""
    with pytest.raises(AstrafsError) as caught:
        ask()
    return caught.value.diagnostics[0].code.id


def said(ask: Callable[[], object]) -> str:
    """Return what is said when ``ask`` is refused."""
    with pytest.raises(AstrafsError) as caught:
        ask()
    return str(caught.value)


def test_values_come_as_python_has_them(online: Online) -> None:
    assert online.get("user", 7) == {
        "n_1d": 1,
        "web": 2,
        "spent": Decimal("7.50"),
        "weight": 0.23333333333333334,
        "last_at": datetime(2026, 1, 3, 1, tzinfo=UTC),
        "last_day": date(2026, 1, 3),
        "tags": ["t1", "t2", "t4"],
        "kinds": {"till": 1, "web": 2},
        "country": "DE",
        "since": timedelta(hours=23),
    }


@pytest.mark.parametrize(
    ("view", "key", "spelled"),
    [
        ("user", 7, {"user_id": 7}),
        ("user", np.int64(7), {"user_id": 7}),
        ("shop.pair", (7, "s1"), {"shop": "s1", "user_id": 7}),
        ("pair", [7, "s2"], {"user_id": 7, "shop": "s2"}),
        ("world", None, {}),
        ("world", (), {}),
    ],
)
def test_a_key_may_be_bare_or_by_name(
    online: Online, view: str, key: object, spelled: dict[str, object]
) -> None:
    assert online.get(view, key) == online.get(view, spelled)


@pytest.mark.parametrize("view", ["user", "pair", "world", "checkout"])
def test_a_table_of_questions_is_answered_as_a_backfill_does(
    project: astrafs.Project, online: Online, view: str
) -> None:
    hours = [0, 1, 1, 2, 30, 49, 49, 70]
    times = pa.array(
        [int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 10**6 + h * DAY // 24 for h in hours],
        pa.timestamp("us", "UTC"),
    )
    columns: dict[str, list[Any]] = {
        "user": {"user_id": [7, 7, None, 8, 8, 7, 9, 7]},
        "pair": {"shop": ["s1", "s2"] * 3 + [None, "nix"], "user_id": [7, 7, 8, 8, 7, 7, 7, 9]},
        "world": {},
        "checkout": {
            "user_id": [7, 8] * 4,
            "amount": [Decimal("9.99")] * 8,
            "coupon": ["x", None] * 4,
        },
    }[view]
    questions = pa.table({"note": [str(hour) for hour in hours], **columns, "t": times})
    if view == "checkout":
        questions = questions.set_column(
            2, "amount", questions.column("amount").cast(pa.decimal128(10, 2))
        )
    found = online.get_many(view, questions)
    wanted = project.backfill(view, questions, "2026-02-01", time="t")
    assert found.schema == wanted.schema
    assert found.equals(wanted)
    asked = [
        {name: row[name] for name in (*columns, "t")}
        | ({"amount": str(row["amount"])} if "amount" in columns else {})
        for row in questions.to_pylist()
    ]
    outputs = wanted.column_names[len(questions.column_names) :]
    for answer, row in zip(online.answer(view, asked), wanted.to_pylist(), strict=True):
        assert list(answer) == outputs
        for name in outputs:
            if isinstance(row[name], bool | int | float | str):
                assert answer[name] == row[name]


def test_the_types_of_columns_may_be_narrower_or_encoded(online: Online) -> None:
    plain = online.get_many("pair", pa.table({"user_id": [7, 8], "shop": ["s1", "s1"]}))
    shops = pa.array(["s1", "s1"], pa.large_string()).dictionary_encode()
    users = pa.chunked_array([pa.array([7], pa.int16()), pa.array([8], pa.int16())])
    other = online.get_many("pair", pa.table({"user_id": users, "shop": shops}))
    assert other.column("n") == plain.column("n")


def test_no_questions_have_no_answers(online: Online) -> None:
    assert online.answer("user", []) == []
    found = online.get_many("user", pa.table({"user_id": pa.array([], pa.int64())}))
    assert found.num_rows == 0
    assert found.column_names[1:] == [one.name for one in online.view_schema("user").outputs]


def test_each_question_sees_what_was_known_at_its_time(project: astrafs.Project) -> None:
    online = served(project)
    late = order(9, 7, 3, seen_at="2026-01-02T00:00:00Z")
    online.ingest("orders", [late])
    before, at = "2026-01-01T23:59:59.999999Z", "2026-01-02T00:00:00Z"
    assert online.get("user", 7, at=before)["n_1d"] == 2
    assert online.get("user", 7, at=at)["n_1d"] == 3
    assert [
        one["n_1d"] for one in online.answer("user", [{"user_id": 7, "t": t} for t in (before, at)])
    ] == [2, 3]
    far = online.get("user", 7, at="2200-01-01")
    assert (far["n_1d"], far["spent"]) == (0, Decimal("10.00"))


def test_a_null_key_is_nobodys(online: Online) -> None:
    empty = online.get("user", 1234)
    assert online.get("user", None) == online.get("user", {"user_id": None}) == empty
    assert online.get("pair", (7, None)) == {"n": 0}


def test_a_request_may_leave_out_what_may_be_null(online: Online) -> None:
    asked = {"user_id": 7, "amount": "10.00"}
    answer = online.get("checkout", request=asked)
    assert answer == {"above": Decimal("2.50"), "coupon_given": False, "n_1d": 1}
    assert online.get("checkout", request={**asked, "coupon": None}) == answer
    assert online.get("checkout", request={**asked, "coupon": "c"})["coupon_given"] is True


@pytest.mark.parametrize(
    ("ask", "code", "hint"),
    [
        (lambda o: o.get("usr", 7), "AFS0012", "did you mean `user`?"),
        (lambda o: o.get("user", "7"), "AFS1051", '`user_id` is `int?`, and "7" is none'),
        (lambda o: o.get("user", 2**63), "AFS1051", "64 bits"),
        (lambda o: o.get("user", True), "AFS1051", "true is none"),
        (lambda o: o.get("pair", 7), "AFS1020", "has 2 columns, and this is 1 value"),
        (lambda o: o.get("pair", (7, "a", "b")), "AFS1020", "this is 3 values"),
        (lambda o: o.get("pair", {"user_id": 7}), "AFS1020", "has no `shop`, a key of `Pair`"),
        (lambda o: o.get("user", {"user": 7}), "AFS1052", 'no field "user"'),
        (lambda o: o.get("user", 7, at="2026-01-04T00:00:00"), "AFS0014", "needs an offset"),
        (lambda o: o.get("user", 7, at=datetime(2026, 1, 4)), "AFS0014", "time zone"),  # noqa: DTZ001
        (lambda o: o.get("user", 7, at="1500-01-01"), "AFS0014", "1678 to 2261"),
        (lambda o: o.get("checkout", request={"user_id": 7}), "AFS1051", "amount` is missing"),
        (
            lambda o: o.get("checkout", request={"user_id": None, "amount": "1"}),
            "AFS1051",
            "is never null",
        ),
        (
            lambda o: o.get("checkout", request={"user_id": 7, "amount": "1", "coupn": "x"}),
            "AFS1052",
            "did you mean `coupon`?",
        ),
        (lambda o: o.answer("user", [7]), "AFS1020", "`questions[0]` is a `int`"),
        (lambda o: o.answer("user", [{"user_id": 7, "t": 5.5}]), "AFS0014", "questions[0].t"),
        (
            lambda o: o.answer("user", [{"user_id": 7}, {"user_id": "x"}]),
            "AFS1051",
            "questions[1].user_id",
        ),
        (lambda o: o.get_many("user", pa.table({"usr_id": [7]})), "AFS1020", "rename `usr_id`"),
        (lambda o: o.get_many("user", pa.table({"user_id": ["7"]})), "AFS1020", "holds string"),
        (lambda o: o.get_many("user", pa.table({"user_id": [7.0]})), "AFS1020", "holds double"),
        (
            lambda o: o.get_many("user", pa.table({"user_id": [7], "t": [datetime(2026, 1, 1)]})),  # noqa: DTZ001
            "AFS1020",
            "no time zone",
        ),
        (
            lambda o: o.get_many(
                "user", pa.table({"user_id": [7], "t": pa.array([None], pa.timestamp("us", "UTC"))})
            ),
            "AFS1020",
            "null in row 1",
        ),
        (
            lambda o: o.get_many("user", pa.table({"user_id": [7], "tags": [1]})),
            "AFS0915",
            "`tags`",
        ),
        (lambda o: o.ingest("ordrs", []), "AFS1021", "did you mean `orders`?"),
        (lambda o: o.source_schema("nix"), "AFS1021", "it has `shop.orders`, `shop.users`"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_code(
    online: Online, ask: Callable[[Online], object], code: str, hint: str
) -> None:
    assert code_of(lambda: ask(online)) == code
    assert hint in said(lambda: ask(online))


def test_all_that_is_wrong_with_questions_is_said_at_once(online: Online) -> None:
    questions: list[Any] = [{"user_id": "a"}, {"user_id": 7}, {"usr": 7}, {"user_id": 7, "t": ""}]
    with pytest.raises(AstrafsError) as caught:
        online.answer("user", questions)
    codes = [found.code.id for found in caught.value.diagnostics]
    assert codes == ["AFS1051", "AFS1052", "AFS0014"]
    many: list[Any] = [{"user_id": "a"}] * 1_000
    with pytest.raises(AstrafsError) as caught:
        online.answer("user", many)
    assert len(caught.value.diagnostics) == 20


def test_a_value_that_cannot_be_computed_is_an_error_of_the_question(online: Online) -> None:
    both = [{"user_id": 8}, {"user_id": 7}]
    for ask in (
        lambda: online.get("huge", 7, at="2026-01-02"),
        lambda: online.answer("huge", both, at="2026-01-02"),
        lambda: online.get_many("huge", pa.Table.from_pylist(both), at="2026-01-02"),
    ):
        assert "AFS0930" in said(ask)
        assert "in the view `shop.huge`" in said(ask)
    assert online.get("huge", 8, at="2026-01-03") == {"huge": 9 * 10**18}


def test_schemas_say_what_views_and_sources_hold(online: Online) -> None:
    assert online.views == ("shop.checkout", "shop.huge", "shop.pair", "shop.user", "shop.world")
    view = online.view_schema("checkout")
    assert (view.name, view.request) == ("shop.checkout", True)
    assert [(one.name, one.nullable) for one in view.keys] == [
        ("user_id", False),
        ("amount", False),
        ("coupon", True),
    ]
    assert view.outputs[0].doc == "Amount above all that was spent."
    assert view.outputs[0].owner == "serving@acme.test"
    assert view.arrow == pa.schema(
        [("above", pa.decimal128(38, 2)), ("coupon_given", pa.bool_()), ("n_1d", pa.int64())]
    )
    source = online.source_schema("orders")
    assert (source.key, source.time, source.known) == (("order_id",), "at", "seen_at")
    assert [column.name for column in source.columns][:2] == ["order_id", "user_id"]


class Interrupted(MemoryStore):
    """A store where a batch is written between any two reads of one answer."""

    def __init__(self) -> None:
        super().__init__()
        self.between: Callable[[], None] | None = None

    def get(self, keys: Any) -> list[bytes | None]:
        """Read, and let the writer go on."""
        found = super().get(keys)
        between, self.between = self.between, None
        if between is not None:
            between()
            self.between = between
        return found


def test_an_answer_is_of_one_state_of_the_store(project: astrafs.Project) -> None:
    """Two numbers that are kept in different places count the same batches."""
    store = Interrupted()
    online = served(project, store)
    numbers = iter(range(100, 130))

    def write() -> None:
        number = next(numbers, None)
        if number is not None:
            online.ingest("orders", [order(number, 7, 3)])

    store.between = write
    questions = [{"user_id": user, "t": "2026-01-01T12:00:00Z"} for user in (7, 8)]
    for place in range(10):
        found = online.answer("user", questions)[0]
        assert found["web"] == found["n_1d"] - 1  # type: ignore[operator]
        assert found["n_1d"] <= 32  # type: ignore[operator]
        if place == 9:
            assert found["n_1d"] == 32
    assert next(numbers, None) is None


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_many_threads_ask_while_rows_come_in(
    project: astrafs.Project, tmp_path: Path, kind: str
) -> None:
    store: Store = MemoryStore() if kind == "memory" else open_store(tmp_path / "s", create=True)
    online = served(project, store)
    stop = threading.Event()
    problems: list[object] = []

    def ask() -> None:
        try:
            least = 0
            while not stop.is_set():
                found = online.get("user", 7, at="2026-01-01T12:00:00Z")
                count, spent = found["n_1d"], found["spent"]
                assert isinstance(count, int)
                # Batches of two orders come whole, and none goes.
                assert count % 2 == 0, count
                assert count >= least
                assert spent == Decimal("2.50") * count
                least = count
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100, 180, 2):
        online.ingest("orders", [order(number, 7, 3), order(number + 1, 7, 3)])
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert online.get("user", 7, at="2026-01-01T12:00:00Z")["n_1d"] == 82
    online.close()


def test_the_store_of_the_project_is_opened(project: astrafs.Project, tmp_path: Path) -> None:
    place = tmp_path / "online"
    assert code_of(lambda: project.open_online(place)) == "AFS1001"
    with project.open_online(place, create=True, clock=lambda: DAY) as online:
        assert not online.ingest("orders", ORDERS).refused
        assert online.now() == DAY
        assert online.get("world", at=AT) == {"n": 4}
    with project.open_online(str(place)) as online:
        assert online.get("world", at=T) == {"n": 4}
        assert online.get("world")["n"] == 4


def test_a_program_with_mistakes_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "a.afs").write_text("view v for Nobody { x }\n", "utf-8")
    project = astrafs.load(tmp_path)
    assert code_of(lambda: project.open_online(tmp_path / "s", create=True)).startswith("AFS02")
    assert not (tmp_path / "s").exists()


def test_a_store_serves_the_views_that_it_was_made_for(
    project: astrafs.Project, tmp_path: Path
) -> None:
    store = open_store(tmp_path / "s", create=True)
    assert project.program is not None
    layout = Layout(Engine(restricted(project.program, ["shop.pair"]).plan))
    change_manifest(store, lambda now: now.of(layout, ["shop.pair"]))
    store.close()
    with project.open_online(tmp_path / "s") as online:
        assert online.views == ("shop.pair",)
        assert code_of(lambda: online.get("user", 7)) == "AFS1023"
        assert code_of(lambda: online.get("usr", 7)) == "AFS0012"
        # Nothing was loaded yet, so an answer would be of a history that is not all there.
        asked = {"user_id": 7, "shop": "s1"}
        for ask in (
            lambda: online.get("pair", asked),
            lambda: online.answer("pair", [asked, asked]),
            lambda: online.get_many("pair", pa.Table.from_pylist([asked])),
        ):
            assert code_of(ask) == "AFS1010"
        assert "`shop.Pair.n`" in said(lambda: online.get("pair", asked))
        assert online.load(AT).rows == {"shop.orders": 4}
        assert online.get("pair", asked, at=AT) == {"n": 2}


def test_the_api_loads_what_is_there_and_drops_what_is_old(
    project: astrafs.Project, tmp_path: Path
) -> None:
    with project.open_online(tmp_path / "s", create=True) as online:
        assert online.load("2026-01-02").rows == {"shop.orders": 2, "shop.users": 1}
        assert online.load("2026-01-02").rows == {}
        whole = online.get("user", 7, at="2026-01-02")
        assert (whole["n_1d"], whole["country"]) == (2, "DE")
        assert online.ingest("orders", ORDERS).repeated == 2
        online.expire("2026-01-03")
        assert code_of(lambda: online.get("user", 7, at="2026-01-02")) == "AFS1011"
        assert code_of(lambda: online.answer("user", [{"user_id": 7, "t": AT}, {
            "user_id": 7, "t": "2026-01-02"}])) == "AFS1011"  # fmt: skip
        assert online.get("user", 7, at=AT) == served(project).get("user", 7, at=AT)


def test_what_the_project_says_is_forgotten_as_rows_come_in(
    project: astrafs.Project, tmp_path: Path
) -> None:
    program = project.program
    assert program is not None
    store = open_store(tmp_path / "s", create=True)
    with Online(program, store, lambda: int(T.timestamp()) * 10**6, None, 2 * DAY) as online:
        assert online.ingest("orders", ORDERS).taken == 4
        deadline = time.monotonic() + 60  # a thread beside drops what is old
        while read_manifest(store).floor is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert code_of(lambda: online.get("user", 7, at="2026-01-01")) == "AFS1011"
        assert online.get("user", 7)["n_1d"] == 1
        with pytest.raises(ValueError, match="without a place"):
            online.load(AT)
