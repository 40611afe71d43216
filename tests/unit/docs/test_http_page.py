"""The page about HTTP: every example on it is run against a server, and its output compared."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from astrafs.diagnostics.codes import ALL
from astrafs.server.endpoints import Endpoints
from astrafs.server.problems import STATUSES
from astrafs.serving import Serving
from tests.curl import curl
from tests.server_process import ServerProcess

PAGE = Path(__file__).resolve().parents[3] / "docs" / "http.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLE = re.compile(r"```(sh|python)\n(.*?)```\n\n```(json|text)\n(.*?)```", re.DOTALL)


def astrafs(*arguments: str | Path) -> None:
    """Run a command, which succeeds."""
    command = [sys.executable, "-m", "astrafs", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def test_every_example_does_what_the_page_says(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    astrafs("init", shop)
    astrafs("online", "init", "--project", shop)
    astrafs("online", "load", "--project", shop, "--as-of", "2026-03-01")
    examples = EXAMPLE.findall(TEXT)
    assert len(examples) == len(re.findall(r"```(?:sh|python)\n", TEXT)) >= 5
    with ServerProcess(shop) as server:
        for kind, text, _, expected in examples:
            command = text.replace("http://127.0.0.1:8080", server.url)
            if kind == "sh":
                assert json.loads(curl(command)) == json.loads(expected), text
            else:
                done = subprocess.run(
                    [sys.executable, "-c", command], capture_output=True, text=True, check=True
                )
                assert done.stdout == expected, text
        server.wait_for("Ctrl-C ends it")
        for line in server.lines[:6]:  # the page shows what the first user sees
            shown = line.replace(server.url, "http://127.0.0.1:8080")
            shown = shown.replace(f"{shop}/", "")
            assert f"    {shown}\n" in TEXT


def test_the_page_names_every_endpoint_setting_and_status() -> None:
    for route in re.findall(r'_route\("([^"]+)"', Path(_file(Endpoints)).read_text("utf-8")):
        written = route.replace("{view}", "VIEW").replace("{source}", "SOURCE")
        assert f"{written}`" in TEXT, route
    for name in Serving.__slots__:
        assert f"`{name}`" in TEXT, name
        default = getattr(Serving(), name)
        if isinstance(default, int | float):
            assert f"{default:,g}" in TEXT or f"{default:,}" in TEXT or str(default) in TEXT
    for status in {*STATUSES.values(), 422, 429}:
        assert re.search(rf"^\|[^|]*\b{status}\b", TEXT, re.MULTILINE), status


def test_every_code_of_the_server_names_its_status() -> None:
    for code, status in STATUSES.items():
        if code.startswith("AFS11"):
            assert str(status) in ALL[code].explain, code


def _file(kind: type) -> str:
    found = sys.modules[kind.__module__].__file__
    assert found is not None
    return found
