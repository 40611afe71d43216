"""Physical to declared types: what is read, without loss, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.runtime import paths
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader
from astrafs.runtime.zones import MAX_TIME, MIN_TIME
from astrafs.typesys import (
    BOOL,
    BYTES,
    DATE,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
)

ENUM = Type(Kind.ENUM, values=("a", "b"))
USER = Type(Kind.KEY, entity="m.User", parts=(STRING,))
Read = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all cases: each writes the file of its format anew."""
    return tmp_path_factory.mktemp("conversions")


@pytest.fixture(scope="module")
def session(directory: Path) -> Iterator[Session]:
    """One session for all cases, which may read those files."""
    with Session([directory / f"x.{ending}" for ending in ("parquet", "csv", "jsonl")]) as opened:
        opened.set_as_of(0)
        yield opened


@pytest.fixture
def read(session: Session) -> Iterator[Read]:
    """Return a function that gives the column ``v`` of a file as the engine holds it."""

    def run(path: Path, type_: Type, zone: str = "") -> list[Any]:
        kind = path.suffix.removeprefix(".")
        columns = (ir.SourceColumn("i", INT), ir.SourceColumn("v", type_, zone=zone))
        source = ir.Source("m.s", True, columns, ("i",), "", ir.Delay(0), static="a test")
        files = paths.resolve("m.s", [path.name], path.parent, [path.parent])
        session.run('DROP TABLE IF EXISTS "src:m.s"', "testing")
        SourceReader(session, source, kind, files).load(["v"])
        return [row[0] for row in session.rows('SELECT v FROM "src:m.s" ORDER BY i', "testing")]

    yield run


def parquet(directory: Path, values: pa.Array) -> Path:
    """Write ``values`` as the column ``v``."""
    path = directory / "x.parquet"
    pq.write_table(pa.table({"i": range(len(values)), "v": values}), path)
    return path


def csv(directory: Path, *cells: str) -> Path:
    """Write raw CSV cells as the column ``v``."""
    path = directory / "x.csv"
    lines = "".join(f"{place},{cell}\n" for place, cell in enumerate(cells))
    path.write_text("i,v\n" + lines, encoding="utf-8")
    return path


def jsonl(directory: Path, *values: str) -> Path:
    """Write raw JSON values as the field ``v``."""
    path = directory / "x.jsonl"
    path.write_text(
        "".join(f'{{"i": {place}, "v": {value}}}\n' for place, value in enumerate(values)),
        encoding="utf-8",
    )
    return path


def code_of(caught: pytest.ExceptionInfo[AstrafsError]) -> str:
    (found,) = caught.value.diagnostics
    return found.code.id


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_US = 1_767_268_800_000_000
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "type_", "zone", "expected"),
    [
        (pa.array([1, -128], pa.int8()), INT, "", [1, -128]),
        (pa.array([1, None], pa.uint32()), INT.optional(), "", [1, None]),
        (pa.array([2**63 - 1], pa.uint64()), INT, "", [2**63 - 1]),
        (pa.array([1.5, 0.1], pa.float32()), FLOAT, "", [1.5, 0.10000000149011612]),
        (
            pa.array([NAN, INF, -INF, None, 2.0]),
            FLOAT.optional(),
            "",
            [None, None, None, None, 2.0],
        ),
        (pa.array([7], pa.int32()), FLOAT, "", [7.0]),
        (pa.array([Decimal("1.50")], pa.decimal128(10, 2)), decimal(12, 2), "", [Decimal("1.50")]),
        (pa.array([Decimal("1.5")], pa.decimal128(3, 1)), decimal(6, 3), "", [Decimal("1.500")]),
        (pa.array([15], pa.int64()), decimal(4, 2), "", [Decimal("15.00")]),
        (pa.array([True, False]), BOOL, "", [True, False]),
        (pa.array(["x", ""]), STRING, "", ["x", ""]),
        (pa.array(["x", "y"]).dictionary_encode(), STRING, "", ["x", "y"]),
        (pa.array(["x"], pa.large_string()), STRING, "", ["x"]),
        (pa.array(["a", "b"]).dictionary_encode(), ENUM, "", ["a", "b"]),
        (pa.array(["u"]), USER, "", ["u"]),
        (pa.array([b"\x00\xff"]), BYTES, "", [b"\x00\xff"]),
        (pa.array([date(2026, 1, 1), date(1, 1, 1)]), DATE, "", [20454, -719162]),
        (pa.array([NOON], pa.timestamp("us", "UTC")), TIMESTAMP, "", [NOON_US]),
        (pa.array([NOON], pa.timestamp("us", "Asia/Tokyo")), TIMESTAMP, "", [NOON_US]),
        (pa.array([NOON], pa.timestamp("ms", "UTC")), TIMESTAMP, "", [NOON_US]),
        (pa.array([NOON_US * 1000], pa.timestamp("ns", "UTC")), TIMESTAMP, "", [NOON_US]),
        (pa.array([-1000], pa.timestamp("ns", "UTC")), TIMESTAMP, "", [-1]),
        (pa.array([NOON_US], pa.timestamp("us")), TIMESTAMP, "UTC", [NOON_US]),
        (pa.array([NOON_US // 1000], pa.timestamp("ms")), TIMESTAMP, "UTC", [NOON_US]),
        (
            pa.array([NOON_US * 1000], pa.timestamp("ns")),
            TIMESTAMP,
            "Asia/Tokyo",
            [NOON_US - 9 * 3_600_000_000],
        ),
        (
            pa.array([MIN_TIME, MAX_TIME], pa.timestamp("us", "UTC")),
            TIMESTAMP,
            "",
            [MIN_TIME, MAX_TIME],
        ),
        (pa.array([NOON_US // 10**6], pa.int64()), TIMESTAMP, "unix:s", [NOON_US]),
        (pa.array([5, -5], pa.int32()), TIMESTAMP, "unix:ms", [5000, -5000]),
        (pa.array([NOON_US], pa.int64()), TIMESTAMP, "unix:us", [NOON_US]),
        (pa.array([NOON_US * 1000], pa.int64()), TIMESTAMP, "unix:ns", [NOON_US]),
        (pa.array([timedelta(hours=1)], pa.duration("ms")), DURATION, "", [3_600_000_000]),
        (pa.array([-5000], pa.duration("ns")), DURATION, "", [-5]),
        (pa.nulls(2), STRING.optional(), "", [None, None]),
        (pa.nulls(1), decimal(9, 2).optional(), "", [None]),
    ],
    ids=str,
)
def test_parquet(
    directory: Path, read: Read, values: pa.Array, type_: Type, zone: str, expected: list[Any]
) -> None:
    assert read(parquet(directory, values), type_, zone) == expected


def test_negative_zero_is_zero(directory: Path, read: Read) -> None:
    for path in (
        parquet(directory, pa.array([-0.0])),
        csv(directory, "-0.0"),
        jsonl(directory, "-0.0"),
    ):
        (value,) = read(path, FLOAT)
        assert str(value) == "0.0"


@pytest.mark.parametrize(
    ("values", "type_", "zone", "code", "advice"),
    [
        (pa.array([1.0]), INT, "", "AFS0904", "`float`"),
        (pa.array([1], pa.int64()), FLOAT, "", "AFS0904", "`int`"),
        (pa.array([1.0]), decimal(9, 2), "", "AFS0904", "`float`"),
        (
            pa.array([Decimal("1.555")], pa.decimal128(12, 3)),
            decimal(12, 2),
            "",
            "AFS0904",
            "decimal(12, 3)",
        ),
        (
            pa.array([Decimal("1.5")], pa.decimal128(12, 2)),
            decimal(10, 2),
            "",
            "AFS0904",
            "decimal(12, 2)",
        ),
        (pa.array(["1"]), INT, "", "AFS0904", "`string`"),
        (pa.array([1]), STRING, "", "AFS0904", "`int`"),
        (pa.array([1]), BOOL, "", "AFS0904", "`int`"),
        (pa.array([True]), INT, "", "AFS0904", "`bool`"),
        (pa.array([date(2026, 1, 1)]), TIMESTAMP, "", "AFS0904", "date"),
        (pa.array([NOON], pa.timestamp("us", "UTC")), DATE, "", "AFS0904", "timestamp"),
        (pa.array([NOON_US], pa.timestamp("us")), TIMESTAMP, "", "AFS0905", 'in "'),
        (pa.array([NOON_US], pa.int64()), TIMESTAMP, "", "AFS0905", "unix:s"),
        (pa.array([NOON], pa.timestamp("us", "UTC")), TIMESTAMP, "UTC", "AFS0904", "remove"),
        (pa.array([1], pa.int64()), DURATION, "", "AFS0904", "`int`"),
        (pa.array([[1]]), STRING, "", "AFS0904", "store"),
        (pa.array([1], pa.time64("us")), TIMESTAMP, "UTC", "AFS0904", "store"),
    ],
    ids=str,
)
def test_parquet_types_that_do_not_fit(
    directory: Path, read: Read, values: pa.Array, type_: Type, zone: str, code: str, advice: str
) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(parquet(directory, values), type_, zone)
    assert code_of(caught) == code
    (found,) = caught.value.diagnostics
    assert "`v`" in found.title
    assert advice in found.helps[0]


@pytest.mark.parametrize(
    ("values", "type_", "zone", "rule"),
    [
        (pa.array([1, 2**63], pa.uint64()), INT, "", "fits 64 bits"),
        (pa.array([1, None], pa.int32()), INT, "", "is never null"),
        (pa.array([1.0, NAN]), FLOAT, "", "is never null (NaN and infinities count as null)"),
        (pa.array([100]), decimal(4, 2), "", "fits decimal(4, 2)"),
        (pa.array([1500], pa.timestamp("ns", "UTC")), TIMESTAMP, "", "has whole microseconds"),
        (pa.array([1500], pa.timestamp("ns")), TIMESTAMP, "UTC", "has whole microseconds"),
        (pa.array([1500]), TIMESTAMP, "unix:ns", "has whole microseconds"),
        (
            pa.array([NOON_US]),
            TIMESTAMP,
            "unix:s",
            "lies in the years 1678 to 2261, read as unix:s",
        ),
        (
            pa.array([MIN_TIME - 1], pa.timestamp("us", "UTC")),
            TIMESTAMP,
            "",
            "lies in the years 1678 to 2261",
        ),
        (
            pa.array([MAX_TIME + 1], pa.timestamp("us", "UTC")),
            TIMESTAMP,
            "",
            "lies in the years 1678 to 2261",
        ),
        (
            pa.array([2**63 - 1], pa.timestamp("us", "UTC")),
            TIMESTAMP.optional(),
            "",
            "lies in the years 1678 to 2261",
        ),
        (
            pa.array([-(2**63) + 1], pa.timestamp("us")),
            TIMESTAMP.optional(),
            "UTC",
            "lies in the years 1678 to 2261",
        ),
        (pa.array([2**31 - 1], pa.date32()), DATE.optional(), "", "lies in the years 1 to 9999"),
        (pa.array(["a", "c"]), ENUM, "", "is one of a, b"),
        (pa.nulls(1), INT, "", "is never null"),
    ],
    ids=str,
)
def test_parquet_values_that_do_not_fit(
    directory: Path, read: Read, values: pa.Array, type_: Type, zone: str, rule: str
) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(parquet(directory, values), type_, zone)
    assert code_of(caught) == "AFS0906"
    assert caught.value.diagnostics[0].notes[0] == f"rule: `v` {rule}"


@pytest.mark.parametrize(
    ("cells", "type_", "zone", "expected"),
    [
        (["1", "-7", "+3", "9223372036854775807"], INT, "", [1, -7, 3, 2**63 - 1]),
        (["1", ""], INT.optional(), "", [1, None]),
        (["0.1", "-2", "1e300", ".5", "5."], FLOAT, "", [0.1, -2.0, 1e300, 0.5, 5.0]),
        (["nan", "-inf", "Infinity", ""], FLOAT.optional(), "", [None, None, None, None]),
        (
            ["1.50", "2", "1.500000"],
            decimal(5, 2),
            "",
            [Decimal("1.50"), Decimal("2.00"), Decimal("1.50")],
        ),
        (["true", "False"], BOOL, "", [True, False]),
        (["x", '""', '"a,""b"', " y "], STRING, "", ["x", "", 'a,"b', " y "]),
        (["x", '""', ""], STRING.optional(), "", ["x", "", None]),
        (["x", ""], STRING, "", ["x", ""]),
        (["a", ""], ENUM.optional(), "", ["a", None]),
        (["2026-01-01"], DATE, "", [20454]),
        (["2026-01-01T12:00:00Z", "2026-01-01 14:00+02:00"], TIMESTAMP, "", [NOON_US] * 2),
        (
            ["2026-01-01T12:00:00.000001Z", "2026-01-01T12:00:00.000001000Z"],
            TIMESTAMP,
            "",
            [NOON_US + 1] * 2,
        ),
        (["2026-01-01T13:00:00", "2026-01-01T12:00:00Z"], TIMESTAMP, "Europe/Paris", [NOON_US] * 2),
        (["1767268800"], TIMESTAMP, "unix:s", [NOON_US]),
        (
            ["1h30m", "500ms", "-2d", "1w1us"],
            DURATION,
            "",
            [5_400_000_000, 500_000, -172_800_000_000, 604_800_000_001],
        ),
        (["AP8="], BYTES, "", [b"\x00\xff"]),
    ],
    ids=str,
)
def test_csv(
    directory: Path, read: Read, cells: list[str], type_: Type, zone: str, expected: list[Any]
) -> None:
    assert read(csv(directory, *cells), type_, zone) == expected


@pytest.mark.parametrize(
    ("cell", "type_", "zone"),
    [
        ("1.5", INT, ""),
        (" 1", INT, ""),
        ("1_000", INT, ""),
        ("1e3", INT, ""),
        ("9223372036854775808", INT, ""),
        ("x", FLOAT, ""),
        ("1e999", FLOAT, ""),
        ('"1,5"', FLOAT, ""),
        ("1.555", decimal(5, 2), ""),
        ("1000", decimal(5, 2), ""),
        ("1e1", decimal(5, 2), ""),
        ("1", BOOL, ""),
        ("yes", BOOL, ""),
        ("2026-02-30", DATE, ""),
        ("01/02/2026", DATE, ""),
        ("2026-01-01T00:00:00Z", DATE, ""),
        ("2026-01-01T12:00:00", TIMESTAMP, ""),
        ("2026-01-01", TIMESTAMP, ""),
        ("2026-01-01", TIMESTAMP, "UTC"),
        ("2026-01-01T24:00:00Z", TIMESTAMP, ""),
        ("2026-01-01T12:00:00.0000005Z", TIMESTAMP, ""),
        ("1676-01-01T12:00:00Z", TIMESTAMP, ""),
        ("1.5", TIMESTAMP, "unix:s"),
        ("1h 30m", DURATION, ""),
        ("30", DURATION, ""),
        ("c", ENUM, ""),
        ("A", ENUM, ""),
        ("AP8", BYTES, ""),
        ("", INT, ""),
        ("", ENUM, ""),
    ],
)
def test_csv_values_that_do_not_fit(
    directory: Path, read: Read, cell: str, type_: Type, zone: str
) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(csv(directory, cell), type_, zone)
    assert code_of(caught) == "AFS0906"
    assert caught.value.diagnostics[0].notes[0].startswith("rule: `v` ")


@pytest.mark.parametrize(
    ("values", "type_", "zone", "expected"),
    [
        (["1", "-9223372036854775808"], INT, "", [1, -(2**63)]),
        (["null", "1"], INT.optional(), "", [None, 1]),
        (["0.1", "2"], FLOAT, "", [0.1, 2.0]),
        (["NaN"], FLOAT.optional(), "", [None]),
        (
            ["1.5", '"1.50"', "2"],
            decimal(5, 2),
            "",
            [Decimal("1.50"), Decimal("1.50"), Decimal("2.00")],
        ),
        (["true"], BOOL, "", [True]),
        (['"x"', '""', '"\\u00e9"', '"null"'], STRING, "", ["x", "", "é", "null"]),
        (['"2026-01-01T12:00:00Z"'], TIMESTAMP, "", [NOON_US]),
        (['"2026-01-01T13:00:00"'], TIMESTAMP, "Europe/Paris", [NOON_US]),
        (["1767268800000"], TIMESTAMP, "unix:ms", [NOON_US]),
        (['"2026-01-01"'], DATE, "", [20454]),
        (['"1h"'], DURATION, "", [3_600_000_000]),
    ],
    ids=str,
)
def test_json(
    directory: Path, read: Read, values: list[str], type_: Type, zone: str, expected: list[Any]
) -> None:
    assert read(jsonl(directory, *values), type_, zone) == expected


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ('"1"', INT),
        ("1.0", INT),
        ("1e3", INT),
        ("99999999999999999999", INT),
        ("true", INT),
        ("[1]", INT),
        ('"0.1"', FLOAT),
        ("1", BOOL),
        ("1", STRING),
        ('{"a": 1}', STRING),
        ("123456789.12345678", decimal(20, 8)),
        ("1", TIMESTAMP),
        ("null", INT),
    ],
)
def test_json_values_that_do_not_fit(directory: Path, read: Read, value: str, type_: Type) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(jsonl(directory, value), type_)
    assert code_of(caught) == "AFS0906"


def test_an_absent_json_field_is_null(directory: Path, read: Read) -> None:
    path = directory / "x.jsonl"
    path.write_text(json.dumps({"i": 1}) + "\n" + json.dumps({"i": 2, "v": "x"}) + "\n")
    assert read(path, STRING.optional()) == [None, "x"]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (
            "2026-10-25T02:30:00",
            "2026-10-25T00:30:00",
        ),  # twice on the clock: the first (summer time)
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00"),
        (
            "2026-03-29T02:30:00",
            "2026-03-29T01:30:00",
        ),  # skipped by the clock: moved to 03:30 summer time
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00"),
        ("1700-01-01T00:00:00", "1699-12-31T23:50:39"),  # local mean time
        ("2200-07-01T00:00:00", "2200-06-30T22:00:00"),
    ],
)
def test_local_times_in_a_zone(directory: Path, read: Read, local: str, utc: str) -> None:
    wanted = (datetime.fromisoformat(utc + "Z") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    assert read(csv(directory, local), TIMESTAMP, "Europe/Paris") == [wanted]
    naive = pa.array([datetime.fromisoformat(local)], pa.timestamp("us"))
    assert read(parquet(directory, naive), TIMESTAMP, "Europe/Paris") == [wanted]


@pytest.mark.parametrize("zone", ["Europe/Pariss", "../../etc/passwd", "unix:m", "Europe"])
def test_a_zone_that_does_not_exist(directory: Path, read: Read, zone: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        read(csv(directory, "2026-01-01T00:00:00"), TIMESTAMP, zone)
    assert code_of(caught) == "AFS0905"
