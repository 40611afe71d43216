"""Results on disk: formats, manifests, digests, and that a file is whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import identity
from astrafs.runtime import atomic, output
from astrafs.runtime.backfill import to_file, to_table
from astrafs.runtime.digest import digest_table
from astrafs.runtime.request import Request
from tests.unit.runtime import shop

AS_OF = "2026-03-01"
GIVEN = shop.spine((1, 5), (2, 5), (1, 5), (3, 5), (None, 5), x=["a", "b", "c", "d", None])
REQUEST = Request("user_vector", AS_OF, GIVEN)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shop.write(tmp_path, shop.orders())
    return tmp_path


def table_of(root: Path, request: Request = REQUEST) -> pa.Table:
    return to_table(shop.program(), shop.place(root), request)[0]


def files_in(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_parquet_and_arrow_hold_the_table(root: Path) -> None:
    wanted = table_of(root)
    to_file(shop.program(), shop.place(root), REQUEST, root / "o.parquet")
    assert pq.read_table(root / "o.parquet") == wanted
    to_file(shop.program(), shop.place(root), REQUEST, root / "o.arrow")
    with pa.memory_map(str(root / "o.arrow")) as stream:
        assert pa.ipc.open_file(stream).read_all() == wanted


def test_csv_text(root: Path) -> None:
    to_file(shop.program(), shop.place(root), REQUEST, root / "o.csv")
    assert (root / "o.csv").read_text() == (
        '"user_id","t","x","mean_all","orders_7d","total_7d"\n'
        '1,"2026-01-06T00:00:00.000000Z","a",2.6666666666666665,3,8\n'
        '2,"2026-01-06T00:00:00.000000Z","b",0,1,0\n'
        '1,"2026-01-06T00:00:00.000000Z","c",2.6666666666666665,3,8\n'
        '3,"2026-01-06T00:00:00.000000Z","d",,0,0\n'
        ',"2026-01-06T00:00:00.000000Z",,,0,0\n'
    )


def test_every_type_has_a_csv_form(tmp_path: Path) -> None:
    columns = {
        "bool": pa.array([True, None]),
        "int": pa.array([-1, None]),
        "float": pa.array([0.1, None]),
        "decimal": pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)),
        "text": pa.array(['a,"b"\n', ""]),
        "bytes": pa.array([b"\x00\xff", None]),
        "time": pa.array([1, None], shop.INSTANT),
        "local": pa.array([1, None], pa.timestamp("ms")),
        "date": pa.array([0, None], pa.date32()),
        "duration": pa.array([1500, None], pa.duration("ms")),
        "list": pa.array([[1, None], None]),
        "struct": pa.array([{"a": "é"}, None]),
        "code": pa.array(["x", None]).dictionary_encode(),
        "null": pa.nulls(2),
    }
    table = pa.table(columns)
    with output.Writer(tmp_path / "o.csv", "csv", table.schema) as writer:
        writer.write(table.to_batches()[0])
    first, second = (tmp_path / "o.csv").read_text().split("\n", 1)[1].rsplit("\n", 2)[:2]
    assert first == (
        'true,-1,0.1,"1.50","a,""b""\n","AP8=","1970-01-01T00:00:00.000001Z","1970-01-01T00:00:00.001",'
        '"1970-01-01",1500000,"[1, null]","{""a"": ""é""}","x",'
    )
    assert second == ',,,,"",,,,,,,,,'


def test_the_manifest_says_what_was_done(root: Path) -> None:
    (root / "asked").mkdir()
    spine = root / "asked" / "spine.parquet"
    pq.write_table(GIVEN, spine)
    request = replace(REQUEST, spine=spine, features=["total_7d", "orders_7d"], limit=3)
    report = to_file(shop.program(), shop.place(root), request, root / "o.parquet")
    found = json.loads(report.manifest.read_text())
    data = (root / "data" / "orders.parquet").read_bytes()
    features = identity.feature_identities(shop.PLAN)
    assert found["as_of"] == "2026-03-01T00:00:00Z"
    assert found["view"]["name"] == "shop.user_vector"
    assert found["view"]["identity"] == identity.view_identity(shop.PLAN, "shop.user_vector")
    assert found["features"] == {
        one.id.name: features[one.id] for one in shop.FEATURES if one.id.name != "mean_all"
    }
    assert found["inputs"] == [
        {
            "source": "shop.orders",
            "path": "data/orders.parquet",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    ]
    assert found["spine"] == {
        "rows": 3,
        "file": "asked/spine.parquet",
        "bytes": spine.stat().st_size,
        "sha256": hashlib.sha256(spine.read_bytes()).hexdigest(),
    }
    assert found["rows_from"] == {"kind": "spine", "keys": {}, "time": None, "limit": 3}
    written = (root / "o.parquet").read_bytes()
    assert found["result"]["file"] == {
        "name": "o.parquet",
        "format": "parquet",
        "bytes": len(written),
        "sha256": hashlib.sha256(written).hexdigest(),
    }
    assert found["result"]["rows"] == report.rows == 3
    assert [column["name"] for column in found["result"]["columns"]] == [
        "user_id",
        "t",
        "x",
        "orders_7d",
        "total_7d",
    ]
    assert (
        found["result"]["digest"]
        == digest_table(pq.read_table(root / "o.parquet"))
        == report.digest
    )
    assert found["compiler"]["name"] == "astrafs"
    assert found["engine"]["duckdb"].startswith("2.0.")


def test_the_same_run_writes_the_same_bytes(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = to_file(
        shop.program(), shop.place(root), replace(REQUEST, threads=1), root / "o.parquet"
    )
    other = tmp_path_factory.mktemp("other")
    table = shop.orders()
    shop.write(other, table)
    second = to_file(
        shop.program(), shop.place(other), replace(REQUEST, threads=4), other / "o.parquet"
    )
    assert first.output.read_bytes() == second.output.read_bytes()
    assert first.manifest.read_bytes() == second.manifest.read_bytes()


def test_the_digest_is_of_the_content(root: Path) -> None:
    digests = {
        to_file(shop.program(), shop.place(root), REQUEST, root / f"o.{ending}").digest
        for ending in ("parquet", "csv", "jsonl", "arrow")
    }
    assert len(digests) == 1
    other = replace(REQUEST, as_of="2026-01-03")
    assert (
        to_file(shop.program(), shop.place(root), other, root / "o.parquet").digest not in digests
    )


def test_later_rows_change_no_byte(root: Path) -> None:
    request = replace(REQUEST, as_of="2026-02-01")
    before = to_file(
        shop.program(), shop.place(root), request, root / "o.parquet"
    ).output.read_bytes()
    later = shop.orders(
        order_id=list("fghij"),
        seen=pa.array(shop.days(32, 33, 34, 35, 36), shop.INSTANT),
        at=pa.array(shop.days(0, 1, 2, 3, 4), shop.INSTANT),
        status=["lost"] * 5,
    )
    shop.write(root, later, "later.parquet")
    after = to_file(
        shop.program(), shop.place(root), request, root / "p.parquet"
    ).output.read_bytes()
    assert before == after


def test_large_results_come_in_row_groups(root: Path) -> None:
    rows = 150_000
    given = shop.spine(*[(place % 4, 5.0) for place in range(rows)])
    report = to_file(
        shop.program(), shop.place(root), replace(REQUEST, spine=given), root / "o.parquet"
    )
    file = pq.ParquetFile(root / "o.parquet")
    sizes = [
        file.metadata.row_group(place).num_rows for place in range(file.metadata.num_row_groups)
    ]
    assert sizes == [65_536, 65_536, 18_928]
    assert report.rows == rows
    assert file.read()["user_id"].to_pylist() == [place % 4 for place in range(rows)]


def test_an_old_result_is_replaced(root: Path) -> None:
    target = root / "o.parquet"
    target.write_text("old")
    to_file(shop.program(), shop.place(root), REQUEST, target)
    assert pq.read_table(target).num_rows == 5
    assert files_in(root) == ["data/orders.parquet", "o.parquet", "o.parquet.manifest.json"]


class Boom(BaseException):
    """Stands for anything that may strike, Ctrl-C included."""


def strikes(monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException) -> None:
    """Make ``where`` (a function of the writing path) fail."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    module, name = {
        "write": (output.Writer, "write"),
        "sync": (atomic.os, "fsync"),
        "replace": (atomic.os, "replace"),
    }[where]
    monkeypatch.setattr(module, name, fail)


@pytest.mark.parametrize("where", ["write", "sync", "replace"])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), Boom(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_run_that_is_stopped_leaves_the_old_result(
    root: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    target = root / "o.parquet"
    to_file(shop.program(), shop.place(root), REQUEST, target)
    before = {name: (root / name).read_bytes() for name in files_in(root)}
    strikes(monkeypatch, where, error)
    with pytest.raises(AstrafsError if isinstance(error, OSError) else type(error)) as caught:
        to_file(shop.program(), shop.place(root), replace(REQUEST, limit=1), target)
    monkeypatch.undo()
    assert {name: (root / name).read_bytes() for name in files_in(root)} == before
    if isinstance(caught.value, AstrafsError):
        assert caught.value.diagnostics[0].code.id == "AFS0917"


def test_places_that_cannot_be_written(root: Path) -> None:
    for target, code in (("none/o.parquet", "AFS0917"), ("o.xyz", "AFS0015"), ("data", "AFS0015")):
        with pytest.raises(AstrafsError) as caught:
            to_file(shop.program(), shop.place(root), REQUEST, root / target)
        assert caught.value.diagnostics[0].code.id == code
    assert files_in(root) == ["data/orders.parquet"]


def test_a_changed_input_is_noticed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = output.Writer.write

    def write(self: output.Writer, batch: pa.RecordBatch) -> None:
        shop.write(root, shop.orders().slice(0, 2))
        inner(self, batch)

    monkeypatch.setattr(output.Writer, "write", write)
    with pytest.raises(AstrafsError) as caught:
        to_file(shop.program(), shop.place(root), REQUEST, root / "o.parquet")
    assert caught.value.diagnostics[0].code.id == "AFS0908"
    assert files_in(root) == ["data/orders.parquet"]


_RUN = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.unit.runtime import shop
from astrafs.runtime.backfill import to_file
from astrafs.runtime.request import Request

class Told:
    def step(self, index, total, name):
        print(index, total, name, flush=True)
        if name == sys.argv[2]:
            sys.stdin.readline()

root = Path(sys.argv[1])
given = shop.spine(*[(place % 4, 5.0) for place in range(200_000)])
request = Request("user_vector", "2026-03-01", given, progress=Told())
try:
    to_file(shop.program(), shop.place(root), request, root / "o.csv")
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    "stage", ["reading shop.orders", "reading the spine", "writing the result"]
)
def test_ctrl_c_leaves_nothing(root: Path, stage: str) -> None:
    here = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, str(root), stage],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=here,
    ) as run:
        assert run.stdout is not None
        for line in _lines(run.stdout):
            if line.endswith(stage):
                run.send_signal(signal.SIGINT)
                break
        out, err = run.communicate("\n", timeout=120)
    assert (out, err) == ("stopped\n", "")
    assert files_in(root) == ["data/orders.parquet"]


def _lines(stream: Any) -> Iterator[str]:
    while line := stream.readline():
        yield line.rstrip("\n")


def test_a_spine_from_elsewhere_is_named_without_its_path(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spine = tmp_path_factory.mktemp("elsewhere") / "asked.parquet"
    pq.write_table(GIVEN, spine)
    report = to_file(
        shop.program(), shop.place(root), replace(REQUEST, spine=spine), root / "o.parquet"
    )
    text = report.manifest.read_text()
    assert json.loads(text)["spine"]["file"] == "asked.parquet"
    assert str(spine.parent) not in text


def test_a_result_does_not_replace_its_input(root: Path) -> None:
    spine = root / "spine.parquet"
    pq.write_table(GIVEN, spine)
    request = replace(REQUEST, spine=spine)
    for target in (spine, root / "data" / "orders.parquet"):
        before = target.read_bytes()
        with pytest.raises(AstrafsError) as caught:
            to_file(shop.program(), shop.place(root), request, target)
        assert caught.value.diagnostics[0].code.id == "AFS0018"
        assert target.read_bytes() == before
