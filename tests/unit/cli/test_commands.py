"""The commands as a user types them: what is printed where, and the exit codes."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from astrafs.diagnostics.codes import ALL
from tests.unit.cli.conftest import Cli

ASTRAFS = (sys.executable, "-m", "astrafs")
BROKEN = 'owner "x"\n\nentity User { user_id: int }\n\nview v for User {\n  missing\n}\n'


def child(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start ``astrafs ARGUMENTS`` as a process of its own, with pipes."""
    return subprocess.Popen(
        [*ASTRAFS, *arguments],
        cwd=cwd,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )


def write(directory: Path, text: str = BROKEN, name: str = "broken.afs") -> Path:
    """Write a file of a project and return it."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# --- init ------------------------------------------------------------------------------------


def test_init_writes_a_project_that_checks_and_runs(shop: Path, cli: Cli) -> None:
    checked = cli("check")
    assert checked.err == ""
    assert checked.out == "ok: 1 file, 1 source, 7 features, 1 view\n"
    assert checked.code == 0
    done = cli(
        *("backfill", "customer_vector", "--spine", "data/spine.csv"),
        *("--as-of", "2026-04-01", "-o", "customers.parquet"),
    )
    assert done.err == ""
    assert done.code == 0
    assert done.out.startswith("wrote customers.parquet: 36 rows, 6 features, in ")
    manifest = json.loads((shop / "customers.parquet.manifest.json").read_text())
    assert manifest["result"]["digest"] in done.out


def test_what_init_says_about_the_leak_is_true(shop: Path, cli: Cli) -> None:
    program = shop / "shop.afs"
    program.write_text(program.read_text().replace(" offset 30d", ""))
    found = cli("check")
    assert found.code == 1
    assert re.search(r"error\[AFS05\d\d\]", found.out)
    assert "offset 30d" in found.out


def test_init_overwrites_nothing(shop: Path, cli: Cli) -> None:
    (shop / "shop.afs").write_text("mine")
    again = cli("init")
    assert (again.code, again.out) == (2, "")
    assert "error[AFS0019]" in again.err
    assert (shop / "shop.afs").read_text() == "mine"


def test_init_where_a_file_stands(tmp_path: Path, cli: Cli) -> None:
    path = write(tmp_path)
    assert "AFS0019" in cli("init", path).err
    assert "AFS0018" in cli("init", path / "below").err


# --- check -----------------------------------------------------------------------------------


def test_problems_are_the_output_of_check(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path)
    found = cli("check", tmp_path)
    assert found.code == 1
    assert found.err == ""
    assert "--> broken.afs:6:3\n" in found.out
    last = found.out.splitlines()[-1]
    assert re.fullmatch(r"1 error.* \(more about the first: astrafs explain AFS\d{4}\)", last)


def test_each_format_of_check(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path)
    concise = cli("check", tmp_path, "--format", "concise")
    assert re.match(r"broken\.afs:6:3: error\[AFS02\d\d\]: ", concise.out)
    assert concise.out.count("\n") == 1
    document = json.loads(cli("check", tmp_path, "--format", "json").out)
    assert document["errors"] == 1
    log = json.loads(cli("check", tmp_path, "--format", "sarif").out)
    assert len(log["runs"][0]["results"]) == 1
    assert cli("check", tmp_path, "--format", "github").out.startswith("::error ")
    assert {cli("check", tmp_path, "--format", form).code for form in ("json", "github")} == {1}


def test_a_file_is_checked_within_its_project(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, "", "astrafs.toml")
    write(tmp_path)
    good = write(tmp_path, 'owner "x"\n\nentity Shop { shop_id: int }\n', "sub/good.afs")
    found = cli("check", good)
    assert found.code == 0
    assert "1 problem in other files" in found.out
    assert cli("check", tmp_path / "sub").code == 1


def test_check_of_standard_input(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = write(tmp_path, name="outside.txt")
    with source.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        found = cli("check", "-")
    assert found.code == 1
    assert "--> stdin.afs:6:3" in found.out
    write(tmp_path, "", "astrafs.toml")
    write(tmp_path, "entity", "fixed.afs")
    with source.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        found = cli("check", "-", "--stdin-name", "fixed.afs", "--format", "concise")
    assert found.out.startswith("fixed.afs:6:3: ")
    assert found.out.count("\n") == 1


def test_mistakes_in_the_project_file_are_shown_in_it(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, "[project]\nnmae = 'x'\n", "astrafs.toml")
    write(tmp_path, 'owner "x"\n\nentity User { user_id: int }\n', "a.afs")
    found = cli("check", tmp_path)
    assert found.code == 1
    assert " --> astrafs.toml:2:1\n" in found.out
    assert "2 | nmae = 'x'\n" in found.out
    assert "help: did you mean `name`?" in found.out


def test_an_empty_directory_is_told_what_to_do(tmp_path: Path, cli: Cli) -> None:
    found = cli("check", tmp_path)
    assert found.code == 1
    assert "error[AFS0963]" in found.out
    assert "astrafs init" in found.out


def test_check_starts_without_engines(shop: Path) -> None:
    script = (
        "import sys\n"
        "from astrafs.cli.app import main\n"
        "try:\n    main(['check', '.'])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print(sorted({'duckdb', 'pyarrow', 'numpy', 'pandas', 'rich', 'hypothesis'}"
        " & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=shop, text=True, capture_output=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# --- compile ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "view shop.customer_vector"),
        (("--emit", "plan", "--view", "customer_vector"), "view shop.customer_vector"),
        (("--emit", "ast"), "SourceDecl name=orders"),
        (("--emit", "ast", "--json"), '"node": "SourceDecl"'),
        (("--emit", "footprint"), "shop.Customer.return_share"),
        (("--emit", "sql"), "SELECT"),
        (("--emit", "sql", "--view", "customer_vector", "--features", "orders_7d"), "SELECT"),
    ],
)
def test_each_thing_that_compile_shows(
    shop: Path, cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    assert shop.is_dir()
    found = cli("compile", *arguments)
    assert (found.code, found.err) == (0, "")
    assert words in found.out


def test_the_plan_is_canonical_json(shop: Path, cli: Cli) -> None:
    from astrafs.plan.json import dumps, loads

    text = cli("compile", "--emit", "json").out
    assert dumps(loads(text)) == text
    assert cli("compile", "--emit", "plan", "--json").out == text
    target = shop / "plan.json"
    assert cli("compile", "--json", "-o", target).out == ""
    assert target.read_text() == text
    assert [one.name for one in shop.iterdir() if one.name.startswith(".plan")] == []


def test_compile_refuses_a_program_with_errors(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path)
    found = cli("compile", tmp_path)
    assert (found.code, found.out) == (1, "")
    assert "--> broken.afs:6:3" in found.err
    tree = cli("compile", tmp_path, "--emit", "ast")
    assert tree.code == 1
    assert "User" in tree.out


def test_compile_to_where_nothing_can_be_written(shop: Path, cli: Cli) -> None:
    found = cli("compile", shop, "-o", shop / "gone" / "plan.txt")
    assert found.code == 2
    assert "error[AFS0018]" in found.err


# --- fmt -------------------------------------------------------------------------------------


def test_fmt_rewrites_files_and_says_how_many(shop: Path, cli: Cli) -> None:
    assert cli("fmt", "--check").code == 0
    program = shop / "shop.afs"
    neat = program.read_text()
    program.write_text(neat.replace("  key  order_id", "     key    order_id"))
    untidy = program.read_text()
    checked = cli("fmt", "--check")
    assert (checked.code, checked.out) == (1, "shop.afs\n")
    shown = cli("fmt", "--diff")
    assert shown.code == 1
    assert "\n-     key    order_id\n+  key  order_id\n" in shown.out
    assert program.read_text() == untidy
    done = cli("fmt")
    assert (done.code, done.out, done.err) == (0, "", "1 of 1 file formatted\n")
    assert program.read_text() == neat


def test_fmt_leaves_broken_files_alone(tmp_path: Path, cli: Cli) -> None:
    path = write(tmp_path, 'owner    "x"\nentity U {\n', "bad.afs")
    found = cli("fmt", tmp_path)
    assert found.code == 1
    assert "--> bad.afs:" in found.err
    assert "left as they are" in found.err
    assert path.read_text() == 'owner    "x"\nentity U {\n'


def test_fmt_of_standard_input(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path, 'owner    "x"\nentity  U{a:int}\n')
    with source.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        found = cli("fmt", "-")
    assert found.code == 0
    assert found.out.startswith('owner "x"\n')
    assert found.out.endswith("entity U { a: int }\n")


# --- usage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("chekc",), "AFS0010", "did you mean `check`"),
        (("check", "--formt"), "AFS0010", "--format"),
        (("check", "--format", "xml"), "AFS0010", "`sarif`"),
        (("check", "nowhere"), "AFS0011", "nowhere"),
        (("check", "data/orders.csv"), "AFS0011", "no `.afs` file"),
        (("check", "--deny", "AFS9999"), "AFS0015", "AFS9999"),
        (("check", "--allow", "AFS0951"), "AFS0015", "is an error"),
        (("check", "--env", "prod"), "AFS0016", "[env.prod.sources]"),
        (("compile", "--view", "customer_vectr"), "AFS0012", "did you mean"),
        (("compile", "--emit", "sql", "--json"), "AFS0010", "--json"),
        (("compile", "--features", "a"), "AFS0010", "--features"),
        (("explain", "AFS9999"), "AFS0017", "astrafs explain"),
        (("fmt", "--check", "--diff"), "AFS0010", "exclude"),
        (("backfill",), "AFS0010", "--as-of"),
        (("backfill", "--as-of", "2026-03-01", "-o", "x.csv"), "AFS0010", "name a view"),
        (("backfill", "customer_vector"), "AFS0010", "--as-of"),
    ],
)
def test_usage_errors_are_coded(
    shop: Path, cli: Cli, arguments: tuple[str, ...], code: str, words: str
) -> None:
    assert shop.is_dir()
    found = cli(*arguments)
    assert found.code == 2
    text = found.err + found.out
    assert f"error[{code}]" in text
    assert words.lower() in text.lower()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nope", "--as-of", "2026-04-01"), "AFS0012", "customer_vector"),
        (("customer_vector", "--as-of", "yesterday"), "AFS0014", "ISO 8601"),
        (("customer_vector", "--as-of", "2026-04-01T10:00:00"), "AFS0014", "offset"),
        (("customer_vector", "--as-of", "2026-02-30"), "AFS0014", "2026-02-30"),
        (("customer_vector", "--as-of", "2026-04-01", "--spine", "gone.csv"), "AFS0011", "gone"),
        (("customer_vector", "--as-of", "2026-04-01", "--from", "2026-01-01"), "AFS0010", "--to"),
        (("customer_vector", "--as-of", "2026-04-01", "--time", "t"), "AFS0010", "--spine"),
        (
            ("customer_vector", "--as-of", "2026-04-01", "--features", "orders_7,last_amount"),
            "AFS0013",
            "orders_7d",
        ),
        (
            ("customer_vector", "--as-of", "2026-04-01", "--spine", "data/spine.csv", "--key", "x"),
            "AFS0015",
            "pair",
        ),
        (("customer_vector", "--as-of", "2026-04-01", "--threads", "0"), "AFS0010", "--threads"),
        (("customer_vector", "--as-of", "2026-04-01", "--memory-limit", "lots"), "", "lots"),
    ],
)
def test_usage_errors_of_backfill(
    shop: Path, cli: Cli, arguments: tuple[str, ...], code: str, words: str
) -> None:
    found = cli("backfill", *arguments, "-o", "x.parquet")
    assert found.code == 2
    assert f"error[{code}" in found.err
    assert words in found.err
    assert not (shop / "x.parquet").exists()


def test_help_version_and_nothing(cli: Cli) -> None:
    assert cli().code == cli("--help").code == cli("check", "-h").code == 0
    assert "backfill" in cli().out
    assert re.fullmatch(r"astrafs \d+\.\d+\.\d+\n", cli("--version").out)
    assert cli("version").out == cli("--version").out


# --- explain ---------------------------------------------------------------------------------


def test_every_code_can_be_explained(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def skipped(*_: object) -> None:
        """Stand in for the compiler: another test compiles every example."""

    monkeypatch.setattr("astrafs.driver.compile_project", skipped)
    listing = cli("explain").out
    for name, code in ALL.items():
        assert f"  {name}  " in listing
        page = cli("explain", name.lower())
        assert page.code == 0
        assert page.out.startswith(f"{name}: {code.title}\n")
        assert ("Accepted" in page.out) == bool(code.good)


def test_an_explanation_shows_what_its_bad_program_gets(cli: Cli) -> None:
    code = next(one for one in ALL.values() if one.bad and not one.runtime)
    page = cli("explain", code.id).out
    assert f"[{code.id}]" in page
    assert "Accepted" in page


# --- endings ---------------------------------------------------------------------------------


def test_an_internal_error_is_coded(shop: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the moon is full")

    assert shop.is_dir()
    monkeypatch.setattr("astrafs.driver.check_program", broken)
    found = cli("check")
    assert found.code == 70
    assert "error[AFS0001]" in found.err
    assert "the moon is full" in found.err
    assert "Traceback" not in found.err
    assert "Traceback" in cli("--debug", "check").err
    assert "Traceback" in cli("check", "--debug").err
    monkeypatch.setenv("ASTRAFS_DEBUG", "1")
    assert "Traceback" in cli("check").err


def test_an_interrupt_is_one_line(shop: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    assert shop.is_dir()
    monkeypatch.setattr("astrafs.driver.check_program", interrupted)
    found = cli("check")
    assert (found.code, found.out) == (130, "")
    assert found.err.strip() == "interrupted; nothing was written"


def test_a_closed_pipe_is_quiet(shop: Path) -> None:
    process = child("compile", "--emit", "json", cwd=shop)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stream:
        assert stream.read() == ""
    assert process.wait() == 141


def test_colour_follows_the_terminal_and_the_settings(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    assert "\x1b" not in cli("check", tmp_path).out
    assert "\x1b[" in cli("--color", "always", "check", tmp_path).out
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" not in cli("check", tmp_path).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in cli("check", tmp_path).out
    assert "\x1b" not in cli("--color", "never", "check", tmp_path).out
    assert "\x1b" not in cli("check", tmp_path, "--format", "concise").out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("command", [("check",), ("compile",), ("explain", "AFS0951")])
def test_a_full_disk_is_said(shop: Path, command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*ASTRAFS, *command], cwd=shop, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1  # nothing is wrong with what was asked
    assert done.stderr.startswith("error[AFS0917]: standard output cannot be written")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_devices_are_written_into_and_never_replaced(shop: Path, cli: Cli) -> None:
    os.mkfifo(shop / "pipe")
    reader = subprocess.Popen(["cat", "pipe"], cwd=shop, stdout=subprocess.PIPE, text=True)
    assert cli("compile", "-o", shop / "pipe").code == 0
    assert reader.communicate()[0].startswith("entity shop.Customer")
    assert (shop / "pipe").is_fifo()
    refused = cli("backfill", "customer_vector", "--as-of", "2026-04-01", "-o", shop / "pipe")
    assert refused.code == 2
    assert "AFS0018" in refused.err
    spine = shop / "data/spine.csv"
    before = spine.read_text()
    refused = cli(
        "backfill", "customer_vector", "--as-of", "2026-04-01", "--spine", spine, "-o", spine
    )
    assert (refused.code, spine.read_text()) == (2, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_stopped_backfill_leaves_nothing(shop: Path, number: int, code: int) -> None:
    rows = "".join(
        f"{n},{n % 5000},{n % 97}.50,false,2026-01-{1 + n % 28:02d}T{n % 24:02d}:00:00Z\n"
        for n in range(400_000)
    )
    (shop / "data/orders.csv").write_text(
        "order_id,customer_id,amount,returned,ordered_at\n" + rows
    )
    before = sorted(one.name for one in shop.iterdir())
    process = child(
        *("backfill", "customer_vector", "--as-of", "2026-03-01"),
        *("--from", "2026-01-01", "--to", "2026-03-01", "--every", "1d", "-o", "out.parquet"),
        cwd=shop,
    )
    deadline = time.monotonic() + 60
    while not list(shop.glob(".out.parquet*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), err
    assert err.strip() == "interrupted; nothing was written"
    assert sorted(one.name for one in shop.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_a_signal_while_the_command_loads(shop: Path, number: int) -> None:
    for wait in (0.15, 0.4):
        process = child(
            "backfill", "customer_vector", "--as-of", "2026-04-01", "-o", "o.csv", cwd=shop
        )
        time.sleep(wait)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        # A signal before the first line of ours has the system's answer; Ctrl-C may end as itself.
        assert process.returncode in (128 + number, -number), err
        assert "Traceback" not in err or process.returncode == -number
    assert not list(shop.glob("*o.csv*"))


# --- what was meant ---------------------------------------------------------------------------

BACKFILL = ("backfill", "customer_vector", "--as-of", "2026-04-01")


@pytest.mark.parametrize(
    ("arguments", "title", "advice"),
    [
        (("--spine", "data/spin.csv", "-o", "o.csv"), "no file `data/spin.csv`", "data/spine.csv"),
        (("--spine", "data", "-o", "o.csv"), "`data` is a directory", "name a file"),
        (("-o", "no/such/o.csv"), "no such directory", "create the directory `no/such` first"),
        (("-o", "o.xlsx"), "`o.xlsx` ends in nothing", "--format parquet"),
        (("-o", "data/orders.csv"), "is an input of this run", "another file"),
        (("-o", "o.csv", "--quarantine", "shop.afs"), "`shop.afs` is a file", "name a directory"),
    ],
)
def test_paths_that_will_not_do(
    shop: Path, cli: Cli, arguments: tuple[str, ...], title: str, advice: str
) -> None:
    before = sorted(one.name for one in shop.iterdir())
    ended = cli(*BACKFILL, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert title in ended.err
    assert advice in ended.err
    assert sorted(one.name for one in shop.iterdir()) == before


@pytest.mark.usefixtures("shop")
def test_a_misspelt_project(cli: Cli) -> None:
    ended = cli("check", "shp.afs")
    assert ended.code == 2
    assert "did you mean `shop.afs`?" in ended.err


@pytest.mark.usefixtures("shop")
def test_no_rows_are_explained(cli: Cli) -> None:
    early = cli("backfill", "customer_vector", "--as-of", "2020-01-01", "-o", "o.csv")
    assert early.code == 0
    assert "no rows   no key occurs in a row of the sources that is visible" in early.out


def test_a_quarantine_says_where(shop: Path, cli: Cli) -> None:
    orders = shop / "data/orders.csv"
    orders.write_text(orders.read_text() + "999,1,-5.00,false,2026-01-01T00:00:00Z\n")
    ended = cli(*BACKFILL, "-o", "o.csv", "--quarantine", "aside")
    assert ended.code == 0
    assert "set aside 1 row of shop.orders: expect amount >= 0" in ended.out
    assert "aside/shop.orders.expect-1.parquet" in ended.out
    assert (shop / "aside/shop.orders.expect-1.parquet").is_file()


def test_broken_data_is_shown_with_its_declaration(shop: Path, cli: Cli) -> None:
    orders = shop / "data/orders.csv"
    orders.write_text(orders.read_text() + "999,1,ten,false,2026-01-01T00:00:00Z\n")
    ended = cli(*BACKFILL, "-o", "o.csv")
    assert ended.code == 1
    assert "  amount:      decimal(10, 2)\n" in ended.err
    assert "order_id = 999, amount = ten, in `data/orders.csv`" in ended.err


@pytest.mark.usefixtures("shop")
def test_the_collector_runs_again_after_compiling(cli: Cli) -> None:
    assert gc.isenabled()
    assert cli("check").code == 0
    assert gc.isenabled()


def test_the_program_loads_no_more_than_it_needs(shop: Path) -> None:
    code = (
        "import sys, atexit; from astrafs.cli.entry import main;"
        "atexit.register(lambda: print(sorted({'duckdb', 'pyarrow', 'pandas', 'numpy', 'rich'}"
        " & {name for name, module in sys.modules.items() if module is not None}))); main()"
    )
    for arguments, loaded in (
        (("check",), "[]"),
        ((*BACKFILL, "-o", "o.parquet"), "['duckdb', 'numpy', 'pyarrow']"),
    ):
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=shop,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ended.stdout.splitlines()[-1] == loaded
        assert ended.stderr == ""
