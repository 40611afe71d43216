"""The table ``[serve]``: every setting, and every way to get one wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from astrafs.config import load_config
from astrafs.diagnostics.model import Sink
from astrafs.serving import RANGES, Serving


def load(directory: Path, text: str) -> tuple[Serving, list[tuple[str, str, str]]]:
    """Return the settings, and (code, title, help) of each diagnostic."""
    (directory / "astrafs.toml").write_text(text)
    sink = Sink()
    config = load_config(directory, None, sink)
    return config.serving, [(one.code.id, one.title, "; ".join(one.helps)) for one in sink]


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    wanted = Serving(
        host="::1",
        port=0,
        tokens="tokens",
        hosts=("features.example",),
        access_log="off",
        **{name: max(1, int(least)) for name, (least, _) in RANGES.items() if name != "port"},
    )
    lines = []
    for one in fields(Serving):
        value = getattr(wanted, one.name)
        lines.append(f"{one.name} = {list(value) if isinstance(value, tuple) else value!r}")
    assert load(tmp_path, "[serve]\n" + "\n".join(lines)) == (wanted, [])
    assert load(tmp_path, "[serve]\nhead_seconds = 1.5") == (Serving(head_seconds=1.5), [])


def test_numbers_have_ranges_and_the_defaults_lie_in_them() -> None:
    for one in fields(Serving):
        if isinstance(one.default, int | float):
            least, most = RANGES[one.name]
            assert least <= one.default <= most


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("prot = 1", "AFS0951", "did you mean `port`?"),
        ("port = 65536", "AFS0958", "`port` must be from 0 to 65,535, and 65,536 is not"),
        ("workers = 0", "AFS0958", "`workers` must be from 1 to 256, and 0 is not"),
        ("head_seconds = inf", "AFS0958", "and inf is not"),
        ("head_seconds = nan", "AFS0958", "and nan is not"),
        ("head_seconds = 0.05", "AFS0958", "from 0.1 to 600, and 0.05 is not"),
        ("workers = 1.5", "AFS0952", "`workers` must be a whole number"),
        ("workers = true", "AFS0952", "`workers` must be a whole number"),
        ("drain_seconds = '1'", "AFS0952", "`drain_seconds` must be a number"),
        ("host = 1", "AFS0952", "`host` must be a string"),
        ("hosts = 'a'", "AFS0952", "`hosts` must be a list of strings"),
        ("access_log = 'jsn'", "AFS0958", "did you mean `json`?"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, line: str, code: str, says: str) -> None:
    found, problems = load(tmp_path, f"[serve]\n{line}")
    assert found == Serving()
    assert [one[0] for one in problems] == [code]
    assert says in " ".join(problems[0][1:])
