"""Command lines that cannot be meant so are refused before anything is written, and closed or full
streams are no mistake of ours.
"""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

ASTRAFS = f"{shlex.quote(sys.executable)} -m astrafs"


BACKFILL = "backfill customer_vector --as-of 2026-04-01"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("check a b c", "AFS0010", "more arguments than it takes"),
        ("check --formt json", "AFS0010", "no such option `--formt`. Did you mean"),
        ("check --stdin-name x.afs", "AFS0010", "--stdin-name goes with `-`"),
        ("check --emit footprint --format json", "AFS0010", "--emit does not go with"),
        ("check --write-baseline b --baseline c", "AFS0010", "does not go with --baseline"),
        ("check --write-baseline shop.afs", "AFS0018", "is a file of the project"),
        ("check ''", "AFS0015", "the path is empty"),
        ("fmt ''", "AFS0015", "the path is empty"),
        ("compile -o shop.afs", "AFS0018", "is a file of the project"),
        ("compile -o astrafs.toml", "AFS0018", "is a file of the project"),
        ("graph -o g.png", "AFS0015", "ends in nothing that tells a format"),
        ("graph -o shop.afs --format dot", "AFS0018", "is a file of the project"),
        (f"{BACKFILL} -o -", "AFS0018", "not written to standard output"),
        (f"{BACKFILL} -o o.csv --time-zone UTC", "AFS0010", "--time-zone is about a spine"),
        (f"{BACKFILL} -o o.csv --limit 0", "AFS0010", "it must be at least 1"),
        (f"{BACKFILL} -o o.csv --limit two", "AFS0010", "it must be a whole number"),
        (f"{BACKFILL} -o o.csv --memory-limit lots", "AFS0916", "`lots` is no memory limit"),
        ("why orders_7d --key 1 --at 2026-01-01 --rows 5000", "AFS0010", "at most 1000"),
        ("explain customer_vector", "AFS0030", "`customer_vector` is a view"),
        ("why orders --key 1 --at 2026-01-01", "AFS0030", "`orders` is a source"),
        ("backfill orders_7d --as-of 2026-04-01 -o o.csv", "AFS0012", "is a feature"),
    ],
)
def test_it_is_refused(line: str, code: str, said: str, cli: Cli) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    ended = cli(*shlex.split(line))
    assert ended.code == 2
    assert ended.out == ""
    assert code in ended.err
    assert said in " ".join(ended.err.split())
    assert all(path.read_bytes() == data for path, data in before.items())


def test_missing_data_is_shown_with_its_declaration(shop: Path, cli: Cli) -> None:
    (shop / "data/orders.csv").unlink()
    ended = cli("why", "orders_7d", "--key", "1", "--at", "2026-01-01")
    assert ended.code == 1
    assert '  from csv("data/orders.csv")\n' in ended.err


@pytest.mark.usefixtures("shop")
def test_a_dash_as_output_is_standard_output(cli: Cli) -> None:
    assert cli("compile", "-o", "-").out == cli("compile").out != ""
    assert not Path("-").exists()


def test_codes_are_explained_for_programs_too(cli: Cli) -> None:
    found = json.loads(cli("explain", "AFS0502", "--format", "json").out)
    assert (found["code"], found["severity"], found["stage"]) == ("AFS0502", "error", "leakage")
    assert found["refused"]
    assert found["accepted"]
    assert found in json.loads(cli("explain", "--format", "json").out)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("check >&-", 0),
        ("check nowhere 2>&-", 2),
        ("fmt - <&-", 0),
        ("check nowhere 2>/dev/full", 2),
        ("check >/dev/full", 1),
    ],
)
def test_closed_and_full_streams(line: str, code: int) -> None:
    done = subprocess.run(f"{ASTRAFS} {line}", shell=True, capture_output=True, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert b"AFS0001" not in done.stderr


def test_every_command_stands_under_a_heading() -> None:
    from astrafs.cli.app import app

    headings = [one.rich_help_panel for one in app.registered_commands]
    assert all(isinstance(one, str) for one in headings)
    assert len(dict.fromkeys(headings)) == 1 + sum(a != b for a, b in itertools.pairwise(headings))
