"""``astrafs get``: keys as people type them, values that read back as they were."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import astrafs
from tests.unit.cli.conftest import Cli
from tests.unit.online.shop import ORDERS, USERS, write_project

AT = ("--at", "2026-01-04")


@pytest.fixture
def served(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with its rows in its store, the working directory."""
    assert cli("--version").code == 0
    monkeypatch.chdir(write_project(tmp_path))
    with astrafs.load(tmp_path).open_online(create=True) as online:
        assert online.ingest("orders", ORDERS).taken == len(ORDERS)
        assert online.ingest("users", USERS).taken == len(USERS)
    return tmp_path


@pytest.mark.usefixtures("served")
class TestTable:
    def test_one_key_is_a_list(self, cli: Cli) -> None:
        done = cli("get", "user", "--key", "7", *AT)
        assert (done.code, done.err) == (0, "")
        assert done.out == (
            "shop.user at 2026-01-04T00:00:00Z\n"
            "  user_id   7\n"
            "  n_1d      1\n"
            "  web       2\n"
            "  spent     7.50\n"
            "  weight    0.23333333333333334\n"
            "  last_at   2026-01-03T01:00:00Z\n"
            "  last_day  2026-01-03\n"
            '  tags      ["t1", "t2", "t4"]\n'
            '  kinds     {"till": 1, "web": 2}\n'
            '  country   "DE"\n'
            "  since     23h\n"
        )

    def test_several_keys_are_lines_where_they_fit(self, cli: Cli) -> None:
        done = cli("get", "pair", "-k", "7", "-k", "s1", "-k", "shop=s2", "-k", "user_id=7", *AT)
        assert done.out == (
            "shop.pair at 2026-01-04T00:00:00Z\n"
            "user_id  shop  n\n"
            '7        "s1"  2\n'
            '7        "s2"  1\n'
        )

    def test_many_values_are_one_list_per_key(self, cli: Cli) -> None:
        done = cli("get", "user", "-k", "7", "-k", "user_id=8", *AT)
        assert done.out.count("\n  user_id   ") == 2
        assert "\n\n  user_id   8\n" in done.out

    def test_a_world_has_no_key(self, cli: Cli) -> None:
        assert cli("get", "world", *AT).out == "shop.world at 2026-01-04T00:00:00Z\n  n  4\n"

    @pytest.mark.parametrize(
        "request_",
        [
            ("user_id=7", "amount=10.00"),
            ("7", "10.00"),
            ('{"user_id": 7, "amount": "10.00"}',),
            ('{"user_id": 7, "amount": 10.00, "coupon": null}',),
        ],
    )
    def test_a_request_is_fields_or_an_object(self, cli: Cli, request_: tuple[str, ...]) -> None:
        options = [word for text in request_ for word in ("--request", text)]
        done = cli("get", "checkout", *options, *AT)
        assert done.code == 0, done.err
        assert "  coupon        null\n  above         2.50\n  coupon_given  false\n" in done.out

    def test_now_is_the_time_without_one(self, cli: Cli) -> None:
        done = cli("get", "user", "-k", "7")
        assert done.code == 0
        assert "  n_1d      0\n" in done.out


@pytest.mark.usefixtures("served")
class TestFormats:
    def test_json_is_what_the_server_takes_and_gives(self, cli: Cli) -> None:
        done = cli("get", "user", "-k", "7", "-k", "9", *AT, "--format", "json")
        first, second = map(json.loads, done.out.splitlines())
        assert first["spent"] == "7.50"
        assert first["kinds"] == {"till": 1, "web": 2}
        assert (second["user_id"], second["last_at"], second["tags"]) == (9, None, [])

    def test_csv_reads_back(self, cli: Cli) -> None:
        done = cli("get", "user", "-k", "7", "-k", "9", *AT, "--format", "csv")
        table = pyarrow.csv.read_csv(io.BytesIO(done.out.encode()))
        assert table.column("weight").to_pylist() == [0.23333333333333334, None]
        assert json.loads(table.column("kinds")[0].as_py()) == {"till": 1, "web": 2}

    def test_arrow_has_the_types_of_a_backfill(self, served: Path) -> None:
        import subprocess

        command = [sys.executable, "-m", "astrafs", "get", "user", "-k", "7", *AT, "-f", "arrow"]
        root = Path(astrafs.__file__).parents[1]
        done = subprocess.run(
            command, cwd=served, env={"PYTHONPATH": str(root)}, capture_output=True, check=True
        )
        table = pa.ipc.open_stream(done.stdout).read_all()
        filled = astrafs.load(served).backfill("user", as_of="2026-01-04")
        outputs = table.column_names[1:]
        assert table.schema.field("kinds").type == filled.schema.field("kinds").type
        wanted = filled.to_pylist()[0]
        assert wanted["user_id"] == 7
        assert table.select(outputs).to_pylist()[0] == {name: wanted[name] for name in outputs}

    def test_arrow_is_not_for_a_terminal(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        done = cli("get", "user", "-k", "7", "-f", "arrow")
        assert (done.code, done.out) == (2, "")
        assert "Arrow data is not for a terminal" in done.err


class TestFiles:
    @pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
    def test_keys_come_from_a_file_with_their_times(
        self, served: Path, cli: Cli, form: str
    ) -> None:
        path = served / f"keys.{form}"
        rows = [
            {"note": "a", "user_id": 7, "t": "2026-01-01T01:30:00Z"},
            {"note": "b", "user_id": 7, "t": "2026-01-04T00:00:00+00:00"},
        ]
        table = pa.Table.from_pylist(rows)
        typed = table.set_column(2, "t", table.column("t").cast(pa.timestamp("us", "UTC")))
        match form:
            case "csv":
                pyarrow.csv.write_csv(table, path)
            case "jsonl":
                path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
            case "parquet":
                pq.write_table(typed, path)
            case _:
                with pa.ipc.new_file(path, typed.schema) as writer:
                    writer.write_table(typed)
        done = cli("get", "user", "--keys", path, "-f", "json")
        assert done.code == 0, done.err
        found = [json.loads(line) for line in done.out.splitlines()]
        assert [(one["t"], one["spent"]) for one in found] == [
            ("2026-01-01T01:30:00Z", "2.50"),
            ("2026-01-04T00:00:00Z", "7.50"),
        ]
        done = cli("get", "user", "--keys", path, "-f", "csv")
        names = [name.strip('"') for name in done.out.splitlines()[0].split(",")]
        assert (sorted(names[:3]), names[3]) == (["note", "t", "user_id"], "n_1d")

    @pytest.mark.parametrize(
        "data",
        [
            b'{"user_id": 7, "shop": "s1"}\n{"user_id": 7, "shop": "s2"}\n',
            b"shop,user_id\ns1,7\ns2,7\n",
        ],
    )
    @pytest.mark.usefixtures("served")
    def test_keys_come_from_standard_input(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, data: bytes
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        done = cli("get", "pair", "--keys", "-", *AT, "-f", "json")
        assert done.code == 0, done.err
        found = [json.loads(line) for line in done.out.splitlines()]
        assert [(one["shop"], one["n"]) for one in found] == [("s1", 2), ("s2", 1)]


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("arguments", "code", "exit_code", "said"),
    [
        (("user",), "AFS0010", 2, "add --key user_id=..."),
        (("user", "-k", "x"), "AFS0015", 2, "`user_id` is `int`, and `x` is none"),
        (("user", "-k", "usr_id=7"), "AFS0015", 2, "`usr_id=7` is none"),
        (("pair", "-k", "7"), "AFS0015", 2, "add --key shop=..."),
        (("pair", "-k", "usr_id=7", "-k", "s1"), "AFS0015", 2, "did you mean `user_id`?"),
        (("usr", "-k", "7"), "AFS0012", 2, "did you mean `user`?"),
        (("user", "-r", "user_id=7"), "AFS0010", 2, "use `--key NAME=VALUE`"),
        (("checkout", "-k", "7"), "AFS0010", 2, "use `--request NAME=VALUE`"),
        (("checkout", "-r", "user_id=7"), "AFS0015", 2, "add --request amount=..."),
        (("checkout", "-r", '{"user_id": 7}'), "AFS1051", 1, "amount` is missing"),
        (("checkout", "-r", '{"user_id": 7,}'), "AFS1050", 1, "no valid JSON"),
        (("checkout", "-r", "{]"), "AFS1050", 1, "no valid JSON"),
        (("user", "-k", "7", "--at", "noon"), "AFS0014", 2, "`noon` is not a time"),
        (("user", "-k", "7", "--keys", "x.csv"), "AFS0010", 2, "exclude each other"),
        (("user", "--keys", "x.csv"), "AFS0011", 2, "there is no file `x.csv`"),
        (("user", "--keys", "."), "AFS0011", 2, "is a directory"),
        (("user", "--keys", "users.jsonl.bak"), "AFS0011", 2, "there is no file"),
        (("user", "-k", "7", "--store", "nowhere"), "AFS1001", 1, "no online store"),
        (("user", "-k", "7", "--store", "ftp://x"), "AFS1030", 1, "`ftp:`"),
        (("user", "-k", "7", "-f", "xml"), "AFS0010", 2, "xml"),
        (("huge", "-k", "7", "--at", "2026-01-02"), "AFS0930", 1, "in the view `shop.huge`"),
    ],
)
def test_what_cannot_be_answered_is_said(
    cli: Cli, arguments: tuple[str, ...], code: str, exit_code: int, said: str
) -> None:
    done = cli("get", *arguments)
    assert f"[{code}]" in done.err
    assert said in done.err
    assert (done.code, done.out) == (exit_code, "")


def test_a_file_without_the_keys_is_refused(served: Path, cli: Cli) -> None:
    (served / "k.csv").write_text("usr_id\n7\n", "utf-8")
    done = cli("get", "user", "--keys", "k.csv")
    assert done.code == 1
    assert "[AFS1020]" in done.err
    assert "rename `usr_id`" in done.err
    (served / "k.csv").write_text("user_id\n7x\n", "utf-8")
    done = cli("get", "user", "--keys", "k.csv")
    assert "AFS0913" in done.err
