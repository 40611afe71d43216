"""What the README shows is what a user gets; ``make golden`` rewrites it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

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


@pytest.mark.parametrize(
    "page", ["README.md", *sorted(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (path.parent / link).exists(), link
