"""What the README shows is what a user gets; ``make golden`` rewrites it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.docs.test_tutorial import agrees, sessions, stripped

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    """Return the first code block of ``kind``."""
    found = re.search(rf"^```{kind}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_example_prints_what_is_shown(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.afs").write_text(block("afs"), encoding="utf-8")
    found = cli("check")
    assert found.code == 1
    if os.environ.get("ASTRAFS_REWRITE_GOLDEN"):
        new = README.replace(block("text"), found.out)
        (ROOT / "README.md").write_text(new, encoding="utf-8")
    else:
        assert found.out == block("text")
    Path("shop.afs").write_text(block("afs").replace("over 60d", "over 60d offset 30d"))
    assert cli("check").code == 0


ORDERS = """\
order_id,customer_id,amount,returned,ordered_at
1,7,5.00,false,2026-01-01T10:00:00Z
2,7,8.50,true,2026-01-03T10:00:00Z
"""
QUESTIONS = "customer_id,t\n7,2026-01-08T10:00:00Z\n7,2026-03-01T00:00:00Z\n"


def test_the_commands_print_what_is_shown(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = block("afs").replace("over 60d", "over 60d offset 30d")
    Path("shop.afs").write_text(program, encoding="utf-8")
    Path("shop_test.afs").write_text(block("afs shop_test.afs"), encoding="utf-8")
    Path("data").mkdir()
    Path("data/orders.csv").write_text(ORDERS, encoding="utf-8")
    Path("questions.csv").write_text(QUESTIONS, encoding="utf-8")
    count = 0
    for body in re.findall(r"^```console\n(.*?)^```$", README, re.DOTALL | re.MULTILINE):
        for command, shown in sessions(body):
            if command == "astrafs plan":
                assert cli("apply", "--yes").code == 0
                edited = program.replace("over 7d\n", "over 7d including now\n")
                Path("shop.afs").write_text(edited, encoding="utf-8")
            ended = cli(*shlex.split(command)[1:])
            assert ended.code == 0, ended.err
            assert agrees(stripped(shown), stripped(ended.out.splitlines())), ended.out
            count += 1
    assert count == 4


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (path.parent / link).exists(), link
