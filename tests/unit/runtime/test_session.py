"""The session: what SQL can reach once it is locked, its limits, and what it leaves behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.runtime import errors
from astrafs.runtime.session import Session


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("session") / "inside.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), path)
    return path


@pytest.fixture(scope="module")
def outside(inside: Path) -> Path:
    path = inside.with_name("outside.parquet")
    pq.write_table(pa.table({"secret": [42]}), path)
    return path


@pytest.fixture(scope="module")
def session(inside: Path) -> Iterator[Session]:
    with Session([inside], threads=2) as opened:
        yield opened


def test_a_session_reads_its_own_files(session: Session, inside: Path) -> None:
    assert session.rows(f"SELECT sum(a) FROM read_parquet('{inside}')", "testing") == [(3,)]


PROBES = (
    "SELECT * FROM read_parquet('{outside}')",
    "SELECT * FROM '{outside}'",
    "SELECT * FROM read_parquet('{directory}/../{name}/outside.parquet')",
    "SELECT * FROM read_parquet('{directory}/*.parquet')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_blob('/etc/hostname')",
    "SELECT * FROM read_json('/etc/hostname')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM parquet_schema('{outside}')",
    "COPY (SELECT 1) TO '{directory}/stolen.csv'",
    "EXPORT DATABASE '{directory}/stolen'",
    "IMPORT DATABASE '{directory}'",
    "ATTACH '{directory}/other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "SET threads = 1",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_paths = ['{outside}']",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '{directory}'",
    "SET memory_limit = '1TB'",
    "RESET TimeZone",
    "PRAGMA threads = 4",
    "SELECT getenv('HOME')",
    "CREATE SECRET s (TYPE s3)",
    "SELECT * FROM local_variable",
    "CALL enable_logging()",
)


@pytest.mark.parametrize("probe", PROBES)
def test_a_locked_session_refuses(session: Session, outside: Path, probe: str) -> None:
    local_variable = pa.table({"a": [1]})  # must not be found by its Python name
    sql = probe.format(outside=outside, directory=outside.parent, name=outside.parent.name)
    with pytest.raises(AstrafsError):
        session.rows(sql, "probing")
    assert local_variable.num_rows == 1
    assert sorted(path.name for path in outside.parent.iterdir()) == [
        "inside.parquet",
        "outside.parquet",
    ]
    assert session.rows("SELECT current_setting('threads')", "testing") == [(2,)]


def test_a_link_beside_an_allowed_file_gives_nothing(
    session: Session, inside: Path, outside: Path
) -> None:
    link = inside.with_name("link.parquet")
    link.symlink_to(outside)
    try:
        with pytest.raises(AstrafsError):
            session.rows(f"SELECT * FROM read_parquet('{link}')", "probing")
    finally:
        link.unlink()


def test_settings_that_change_meaning_are_pinned(session: Session) -> None:
    pinned = {
        "TimeZone": "UTC",
        "default_null_order": "NULLS_LAST",
        "ieee_floating_point_ops": True,
        "python_enable_replacements": False,
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "enable_external_access": False,
        "lock_configuration": True,
    }
    for name, value in pinned.items():
        assert session.rows(f"SELECT current_setting('{name}')", "testing") == [(value,)], name
    off = session.rows("SELECT current_setting('disabled_optimizers')", "testing")[0][0]
    assert set(off.split(",")) == {"window_self_join", "top_n_window_elimination"}


def test_the_cutoff_is_a_variable(session: Session) -> None:
    session.set_as_of(-5)
    assert session.rows("SELECT getvariable('as_of'), typeof(getvariable('as_of'))", "testing") == [
        (-5, "BIGINT")
    ]


def test_work_beyond_the_memory_limit_spills_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Session([], memory_limit="60MB", threads=1) as session:
        session.run(
            "CREATE TEMP TABLE t AS SELECT range a, md5(range::VARCHAR) b FROM range(2000000)",
            "filling",
        )
        assert any(path.is_file() for path in tmp_path.rglob("duckdb_temp*"))
        assert session.rows("SELECT count(*) FROM t", "counting") == [(2_000_000,)]
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ZeroDivisionError), Session([]):
        assert len(list(tmp_path.iterdir())) == 1
        _ = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_out_of_memory_is_a_diagnostic() -> None:
    with (
        Session([], memory_limit="50MB", threads=1) as session,
        pytest.raises(AstrafsError) as caught,
    ):
        session.rows(
            "SELECT list(md5(range::VARCHAR) ORDER BY range) FROM range(5000000)", "collecting"
        )
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0920"
    assert "--memory-limit" in found.helps[0]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 9223372036854775807 + range FROM range(1, 2)", "AFS0930"),
        ("SELECT CAST(9999999 + range AS DECIMAL(5, 2)) FROM range(1, 2)", "AFS0932"),
        ("SELECT error('AFSERR|AFS0936|row 7 is too large')", "AFS0936"),
        ("SELECT no_such_column", "AFS0701"),
    ],
)
def test_engine_errors_become_diagnostics(session: Session, sql: str, code: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        session.rows(sql, "computing total_7d")
    (found,) = caught.value.diagnostics
    assert found.code.id == code
    assert any("computing total_7d" in note for note in found.notes)
    assert "AFSERR" not in found.title


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException('IO Error: Could not write file "/t/x": No space left on device'),
        duckdb.OutOfMemoryException(
            "Out of Memory Error: failed to offload data block of size 256.0 KiB (1.0 MiB/1.0 MiB"
            " used).\nThis limit was set by the 'max_temp_directory_size' setting."
        ),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_full_disk_is_told_from_a_lack_of_memory(error: Exception) -> None:
    (found,) = errors.translate(error, "computing total_7d").diagnostics
    assert found.code.id == "AFS0921"
    assert "TMPDIR" in found.helps[0]


def test_a_raised_message_is_the_title(session: Session) -> None:
    with pytest.raises(AstrafsError) as caught:
        session.rows("SELECT error('AFSERR|AFS0930|row 7 is too large')", "testing")
    assert caught.value.diagnostics[0].title == "row 7 is too large"


def test_another_thread_is_turned_away(session: Session) -> None:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            session.rows("SELECT 1", "testing")
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1


@pytest.mark.parametrize("limit", ["lots", "-1GB", "2", "2GB'; SET threads=1; --", ""])
def test_a_bad_memory_limit_is_refused(limit: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        Session([], memory_limit=limit)
    assert caught.value.diagnostics[0].code.id == "AFS0916"


@pytest.mark.parametrize("threads", [0, -1, 100_000])
def test_a_bad_number_of_threads_is_refused(threads: int) -> None:
    with pytest.raises(AstrafsError):
        Session([], threads=threads)


_WITH_FUNCTION = """
import sys
from astrafs.runtime.session import Session
import pyarrow as pa
with Session([]) as session:
    session.add_function("af_same", lambda column: column, ["BIGINT"], "BIGINT")
    print(session.rows("SELECT af_same(3)", "testing"))
    if sys.argv[1] == "fail":
        try:
            session.rows("SELECT error('x')", "testing")
        except Exception as error:
            kept = error
    if sys.argv[1] == "open":
        rows = session.stream("SELECT * FROM range(100000)", "testing", 10)
        next(rows)
"""


_FORGOTTEN = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from astrafs.runtime.session import Session
session = Session([])
session.add_function("af_same", lambda column: column, ["BIGINT"], "BIGINT")
print(session.rows("SELECT af_same(3)", "testing"))
"""


def test_a_session_that_nobody_closed(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _FORGOTTEN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout, run.stderr, run.returncode) == ("[(3,)]\n", "", 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["plain", "fail", "open"])
def test_functions_leave_no_word_on_stderr(way: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _WITH_FUNCTION, way], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr, run.returncode) == ("[(3,)]\n", "", 0)


_INTERRUPTED = """
import os, tempfile, sys
tempfile.tempdir = sys.argv[1]
from astrafs.runtime.session import Session
try:
    with Session([], threads=1) as session:
        print("ready", flush=True)
        session.rows("SELECT count(*) FROM range(10000000000) a, range(100000) b", "counting")
except KeyboardInterrupt:
    print("interrupted", os.listdir(sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_stops_a_statement_and_cleans_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert (out, err) == ("interrupted []\n", "")
