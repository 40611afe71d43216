"""``astrafs ingest`` and ``astrafs online``: what is kept is told, what is refused too."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import astrafs
from astrafs import AstrafsError
from tests.unit.cli.conftest import Cli
from tests.unit.online.shop import ORDERS, USERS, write_project

AT = ("--at", "2026-01-04")
BAD: list[Any] = [
    {**ORDERS[0], "order_id": 100, "amount": "-1"},
    {**ORDERS[0], "order_id": 101, "kind": "post"},
    {**ORDERS[0], "order_id": 102, "at": "2026-01-01T00:00:00"},
]


BY_FEATURE = """
entity Best { best: int }
stream best from orders {
  best: int = User[user_id].n_1d
}
features for Best from best {
  ## Number.
  n: int = count() over 7d
}
view best_vector for Best { n }
"""
"""A view whose rows belong to keys that a feature gives."""


@pytest.fixture
def made(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with an empty store and files of rows, the working directory."""
    monkeypatch.chdir(write_project(tmp_path))
    done = cli("online", "init")
    assert done.code == 0
    lines(tmp_path / "orders.jsonl", ORDERS)
    lines(tmp_path / "users.jsonl", USERS)
    lines(tmp_path / "bad.jsonl", [*ORDERS, *BAD])
    return tmp_path


def lines(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.usefixtures("made")
class TestIngest:
    def test_rows_are_counted_by_what_became_of_them(self, cli: Cli) -> None:
        count = len(ORDERS)
        done = cli("ingest", "orders", "orders.jsonl")
        assert (done.code, done.err) == (0, "")
        assert done.out == f"shop.orders: {count} rows, {count} taken\n"
        done = cli("ingest", "shop.orders", "orders.jsonl", "orders.jsonl", "--json")
        assert done.code == 0
        assert json.loads(done.out) == {
            "source": "shop.orders",
            "rows": 2 * count,
            "taken": 0,
            "repeated": 2 * count,
            "expired": 0,
            "refused": 0,
            "codes": {},
        }

    def test_good_rows_stay_where_others_are_refused(self, cli: Cli, made: Path) -> None:
        count = len(ORDERS)
        done = cli("ingest", "orders", "bad.jsonl", "--refused", "out.jsonl", "--batch", "2")
        assert done.code == 1
        assert done.out == (
            f"shop.orders: {count + 3} rows, {count} taken, 3 refused (3 AFS0906)\n"
        )
        assert done.err.count("error[AFS0906]") == 3
        assert "rule: expect amount >= 0" in done.err
        told = [json.loads(line) for line in (made / "out.jsonl").read_text().splitlines()]
        assert [one["row"] for one in told] == [count + 1, count + 2, count + 3]
        assert [one["given"] for one in told] == BAD
        assert {one["code"] for one in told} == {"AFS0906"}
        assert {one["file"] for one in told} == {"bad.jsonl"}
        assert cli("ingest", "orders", "orders.jsonl").out.endswith("there already\n")

    def test_standard_input_takes_a_format(
        self, cli: Cli, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done = cli("ingest", "orders", "-")
        assert done.code == 2
        assert "nothing tells the format of standard input" in done.err
        standard_input(monkeypatch, (made / "orders.jsonl").read_bytes())
        done = cli("ingest", "orders", "-", "--format", "jsonl")
        assert (done.code, done.err) == (0, "")
        assert f"{len(ORDERS)} taken" in done.out
        assert cli("ingest", "orders", "-", "-", "--format", "jsonl").code == 2

    def test_many_refusals_are_told_by_number(self, cli: Cli, made: Path) -> None:
        lines(made / "many.jsonl", [BAD[0]] * 9)
        done = cli("ingest", "orders", "many.jsonl")
        assert done.code == 1
        assert done.err.count("error[AFS0906]") == 5
        assert "and 4 more refused rows" in done.err

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (("orders", "nothing.jsonl"), 2, "there is no file `nothing.jsonl`"),
            (("orders", "shop.afs"), 2, "nothing tells the format of `shop.afs`"),
            (("order", "orders.jsonl"), 1, "did you mean `orders`?"),
            (("orders", "orders.jsonl", "--batch", "0"), 2, "at least 1"),
            (("orders", "orders.jsonl", "--refused", "orders.jsonl"), 2, "is an input of this run"),
            (("orders", "orders.jsonl", "--refused", "no/where.jsonl"), 2, "cannot be written"),
            (("orders", "users.jsonl", "--format", "parquet"), 1, "users.jsonl"),
            (("orders", "orders.jsonl", "--store", "elsewhere"), 1, "there is no online store"),
        ],
    )
    def test_mistakes_are_told(
        self, cli: Cli, arguments: tuple[str, ...], code: int, words: str
    ) -> None:
        done = cli("ingest", *arguments)
        assert (words in done.err, done.code) == (True, code), done.err
        assert "Traceback" not in done.err

    def test_refused_rows_that_cannot_be_written_are_told(self, cli: Cli) -> None:
        done = cli("ingest", "orders", "bad.jsonl", "--refused", "/dev/full")
        assert done.code in (1, 2)
        assert "`/dev/full` cannot be written: no space left" in done.err

    def test_a_broken_file_says_what_was_kept(self, cli: Cli, made: Path) -> None:
        (made / "broken.arrow").write_bytes(b"\xff" * 100)
        done = cli("ingest", "orders", "orders.jsonl", "broken.arrow")
        assert done.code == 1
        assert f"{len(ORDERS)} taken" in done.out
        assert "error[AFS1053]" in done.err


class TestOnline:
    def test_a_store_is_made_loaded_told_and_expired(self, cli: Cli, made: Path) -> None:
        lines(made / "orders.jsonl", ORDERS)
        done = cli("online", "load", "--as-of", "2026-02-01T00:00:00Z")
        assert (done.code, done.err) == (0, "")
        assert f"{len(ORDERS)} of shop.orders" in done.out
        assert "nothing to load" in cli("online", "load", "--as-of", "2026-02-01").out
        loaded = cli("get", "user", "-k", "7", *AT)
        assert (loaded.code, loaded.err) == (0, "")
        told = cli("online", "status")
        assert told.code == 0
        assert "as of   2026-02-01T00:00:00Z" in told.out
        assert "shop.orders by user_id" in told.out
        assert "not loaded" not in told.out
        facts = json.loads(cli("online", "status", "--json").out)
        assert all(one["loaded"] for one in (*facts["groups"], *facts["tables"]))
        assert facts["floor"] is None
        dropped = cli("online", "expire", "--before", "2026-03-01T00:00:00Z")
        assert dropped.code == 0
        assert "questions before 2026-03-01T00:00:00Z are refused" in dropped.out
        assert json.loads(cli("online", "status", "--json").out)["floor"] == "2026-03-01T00:00:00Z"
        late = cli("get", "user", "-k", "7", *AT)
        assert (late.code, "AFS1011" in late.err) == (1, True)

    def test_a_new_store_says_what_it_lacks(self, cli: Cli, made: Path) -> None:
        assert made
        told = cli("online", "status")
        assert "never loaded" in told.out
        assert "not loaded" in told.out
        asked = cli("get", "user", "-k", "7", *AT)
        assert (asked.code, "AFS1010" in asked.err) == (1, True)

    def test_views_are_chosen(self, cli: Cli, made: Path) -> None:
        done = cli("online", "init", "--view", "pair", "--json", "--store", "pairs")
        assert (done.code, json.loads(done.out)["views"]) == (0, ["shop.pair"])
        assert (made / "pairs").is_dir()
        done = cli("online", "init", "--view", "usr", "--store", "others")
        assert (done.code, "did you mean" in done.err) == (2, True)
        assert not (made / "others").exists()

    def test_views_that_cannot_be_served_are_refused(self, cli: Cli, made: Path) -> None:
        with (made / "shop.afs").open("a") as program:
            program.write(BY_FEATURE)
        done = cli("online", "init", "--store", "others")
        assert (done.code, "AFS1013" in done.err, "Best.n" in done.err) == (1, True, True)
        assert not (made / "others").exists()
        assert cli("online", "init", "--view", "pair", "--store", "others").code == 0
        assert cli("get", "pair", "-k", "7", "-k", "s1", *AT, "--store", "others").code == 1
        with pytest.raises(AstrafsError) as caught:
            astrafs.load(made).open_online("unlimited", create=True)
        assert [found.code.id for found in caught.value.diagnostics] == ["AFS1013"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("load",), "needs `--as-of`"),
            (("expire",), "needs `--before`"),
            (("status", "--before", "2026-01-01"), "no option of `astrafs online status`"),
            (("load", "--as-of", "2026-01-01T10:00:00"), "is not a time"),
            (("load", "--as-of", "2026-01-01", "--memory-limit", "much"), "is no memory limit"),
            (("wipe",), "wipe"),
        ],
    )
    def test_mistakes_are_told(
        self, cli: Cli, made: Path, arguments: tuple[str, ...], words: str
    ) -> None:
        assert made
        done = cli("online", *arguments)
        assert (words in done.err, done.code in (1, 2)) == (True, True), done.err
        assert "Traceback" not in done.err
