"""``astrafs parity``: equal on real history, and able to say that it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from astrafs.diagnostics.codes import online as codes
from astrafs.online.groups import Shape
from astrafs.online.segments import Segment
from astrafs.online.service import Online
from astrafs.online.writer import Ingested, Writer
from astrafs.plan import ir
from tests.unit.cli.conftest import Cli, Ended
from tests.unit.online.shop import order, write_project


def grown(number: int, draw: Random) -> dict[str, Any]:
    """Return an order at a whole hour of January, known up to two days later."""
    hour = draw.randrange(24 * 28)
    seen = hour + draw.choice((0, 0, 1, 5, 24, 48))
    return order(
        number,
        draw.randrange(5),
        hour,
        amount=f"{draw.randrange(10_000) / 100:.2f}",
        weight=draw.choice((None, draw.random() * 10)),
        kind=draw.choice(("web", "till")),
        shop=draw.choice(("s1", "s2")),
        seen_at=f"2026-01-{1 + seen // 24:02d}T{seen % 24:02d}:00:00Z",
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with 300 orders, the working directory."""
    draw = Random(5)
    write_project(tmp_path)
    rows = [grown(number, draw) for number in range(300)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "orders.jsonl").write_text(lines, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Return a function that runs ``astrafs ARGUMENTS``."""
    from astrafs.cli.app import main

    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out, err)

    return run


VIEWS = ("user", "pair", "world", "checkout")


@pytest.mark.parametrize("view", VIEWS)
def test_serving_gives_what_a_backfill_gives(project: Path, cli: Cli, view: str) -> None:
    done = cli("parity", view, "--sample", "200", "--store", "memory")
    assert (done.code, done.err) == (0, "")
    assert re.match(rf"equal shop\.{view}: 200 questions, [0-9,]+ values\n", done.out)
    assert "replayed 30" in done.out
    assert not list(project.glob(".astrafs*/online*"))


def test_all_views_share_one_replay_into_sqlite(project: Path, cli: Cli) -> None:
    text = (project / "shop.afs").read_text("utf-8")
    (project / "shop.afs").write_text(text.replace("view huge for User { huge }\n", ""), "utf-8")
    done = cli("parity", "--sample", "80", "--json", "--seed", "7")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["schema"] == "astrafs.parity/1"
    assert [one["questions"] for one in report["views"]] == [20, 20, 20, 20]
    assert report["rows_replayed"] == 301
    assert sum(one["values"] for one in report["views"]) == 2 * 20 * (3 + 1 + 10 + 1)


@pytest.mark.usefixtures("project")
def test_the_same_seed_asks_the_same(cli: Cli) -> None:
    from astrafs.parity.sampling import Sampler

    asked: list[pa.Table] = []
    original = Sampler.questions

    def noted(self: Sampler, count: int) -> pa.Table:
        asked.append(original(self, count))
        return asked[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Sampler, "questions", noted)
        for seed in ("1", "1", "2"):
            options = ("--sample", "50", "--seed", seed, "--as-of", "2026-03-01")
            assert cli("parity", "user", "--store", "memory", *options).code == 0
    assert asked[0].equals(asked[1])
    assert not asked[0].equals(asked[2])


def _later_edge(self: Shape, window: ir.Window) -> Any:
    if isinstance(window, ir.RangeWindow):
        window = replace(window, far_closed=not window.far_closed)
    return ORIGINAL_WINDOW(self, window)


def _all_rows(self: Segment, *_: int) -> Any:
    return self._whole


def _last_bit(self: Online, view: str, questions: pa.Table, at: Any = None) -> pa.Table:
    found = ORIGINAL_GET_MANY(self, view, questions, at)
    place = found.column_names.index("weight")
    values = found.column(place).to_numpy(zero_copy_only=False)
    moved = [None if np.isnan(one) else float(np.nextafter(one, 100)) for one in values]
    return found.set_column(place, "weight", pa.array(moved, pa.float64()))


ORIGINAL_WINDOW = Shape._window
ORIGINAL_GET_MANY = Online.get_many


@pytest.mark.parametrize(
    ("owner", "name", "bug", "output", "early"),
    [
        (Shape, "_window", _later_edge, "n_1d", True),
        (Segment, "at", _all_rows, "n_1d", False),
        (Online, "get_many", _last_bit, "weight", True),
    ],
    ids=["an edge of windows", "knowledge times", "the last bit of a float"],
)
@pytest.mark.usefixtures("project")
def test_an_engine_that_is_wrong_is_found_out(
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    bug: Callable[..., Any],
    output: str,
    early: bool,
) -> None:
    options = ("parity", "user", "--sample", "300", "--store", "memory", "--as-of", "2026-02-15")
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, bug)
        done = cli(*options)
        report = json.loads(cli(*options, "--json").out)
    assert done.code == 1
    assert "differs shop.user: 300 questions" in done.out
    (view,) = report["views"]
    assert view["differing"] > 0
    found = next(one for one in view["differences"] if one["output"] == output)
    assert (found["asked"] == "on the way") is early
    assert found["online"] != found["offline"]
    if output == "weight":
        bits = [int(found[one], 16) for one in ("online_bits", "offline_bits")]
        assert bits[0] == bits[1] + 1
    shown = re.search(rf"  {output} of user_id = (\d+) at (\S+), .*\n    online .*\n.*\n", done.out)
    assert shown is not None
    # The hint explains the value as it should be.
    why = re.search(r"    astrafs (why shop\.User\.\S+ .*)\n", done.out)
    assert why is not None
    explained = cli(*why[1].split())
    assert explained.code == 0, explained.err


@pytest.mark.usefixtures("project")
def test_a_value_that_is_looked_up_is_explained_too(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        "parity",
        "checkout",
        "--sample",
        "200",
        "--store",
        "memory",
        "--as-of",
        "2026-02-15",
    )
    with monkeypatch.context() as patched:
        patched.setattr(Shape, "_window", _later_edge)
        done = cli(*options)
    assert done.code == 1
    why = re.search(r"    astrafs (why shop\.User\.n_1d --key \d+ --at .*)\n", done.out)
    assert why is not None
    assert cli(*why[1].split()).code == 0


def test_labels_do_not_hinder(project: Path, cli: Cli) -> None:
    with (project / "shop.afs").open("a", encoding="utf-8") as file:
        file.write(
            "labels for User from orders {\n  ## Comes back.\n"
            "  back: bool = count() over next 1d > 0\n}\n"
        )
    text = (project / "shop.afs").read_text("utf-8")
    (project / "shop.afs").write_text(text.replace("{ huge }", "{ n_1d }"), "utf-8")
    done = cli("parity", "--sample", "10", "--store", "memory")
    assert done.code == 0, done.err
    assert done.out.count("equal shop.") == 5


def test_a_store_with_other_rows_is_in_the_way(project: Path, cli: Cli) -> None:
    import astrafs

    with astrafs.load(project).open_online("other", create=True) as online:
        assert online.ingest("orders", [order(5, 1, 1)]).taken == 1
    done = cli("parity", "user", "--sample", "10", "--store", "other")
    assert done.code == 1
    assert "AFS1022" in done.err
    assert "the store is not empty" in done.err


@pytest.mark.usefixtures("project")
def test_a_row_that_serving_does_not_take_is_said(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Ingested(0, 0, 0, ((2, codes.ROW_CONFLICT.nowhere()),))
    monkeypatch.setattr(Writer, "ingest", lambda *_: refused)
    done = cli("parity", "user", "--sample", "10", "--store", "memory")
    assert done.code == 1
    assert "AFS1022" in done.err
    assert "row 3 in knowledge order: AFS1004" in done.err


def test_rows_that_break_a_contract_are_said(project: Path, cli: Cli) -> None:
    with (project / "orders.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(order(999, 1, 1, amount="-1.00")) + "\n")
    done = cli("parity", "user", "--sample", "10", "--store", "memory")
    assert done.code == 1
    assert "expect amount >= 0" in done.err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("nix",), "AFS0012"),
        (("user", "--sample", "0"), "AFS0010"),
        (("user", "--as-of", "yesterday"), "AFS0014"),
        (("user", "--store", "file://x"), "AFS1030"),
    ],
)
@pytest.mark.usefixtures("project")
def test_wrong_options_are_refused(cli: Cli, options: tuple[str, ...], code: str) -> None:
    done = cli("parity", *options)
    assert done.code in (1, 2)
    assert code in done.err
