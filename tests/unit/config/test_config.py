"""The project file: every mistake is named, placed and explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from astrafs.config import Config, Levels, SourceOverride, check_overrides, load_config
from astrafs.diagnostics.model import Code, Severity, Sink
from astrafs.source import Span


def load(
    directory: Path, text: str | None, env: str | None = None
) -> tuple[Config, list[tuple[str, int, str, str]]]:
    """Return the configuration and (code, line, title, help) of each diagnostic."""
    if text is not None:
        (directory / "astrafs.toml").write_text(text, encoding="utf-8")
    sink = Sink()
    config = load_config(directory, env, sink)
    found = []
    for one in sink:
        line = 0
        if one.primary is not None and config.file is not None:
            line = config.file.position(one.primary.span.start)[0]
        found.append((one.code.id, line, one.title, "; ".join(one.helps)))
    return config, found


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    config, found = load(tmp_path, None)
    assert found == []
    assert config == Config(tmp_path.resolve(), tmp_path.name, (tmp_path.resolve(),))


def test_everything_that_may_stand_in_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = """
[project]
name = "fraud"
roots = ["data"]

[sources."fraud.cards.transactions"]
paths = ["data/*.csv"]

[env.prod.sources."fraud.cards.transactions"]
format = "parquet"

[env.prod.sources."fraud.cards.users"]
format = "jsonl"
paths = ["/lake/users.jsonl"]

[diagnostics]
deny = ["warnings"]
"""
    config, found = load(tmp_path, text, env="prod")
    assert found == []
    assert config.name == "fraud"
    assert config.roots == (tmp_path.resolve() / "data",)
    assert config.sources == {
        "fraud.cards.transactions": SourceOverride("parquet", ("data/*.csv",)),
        "fraud.cards.users": SourceOverride("jsonl", ("/lake/users.jsonl",)),
    }
    assert config.levels == Levels(deny=frozenset({"warnings"}))
    plain, _ = load(tmp_path, None)
    assert plain.sources == {"fraud.cards.transactions": SourceOverride("", ("data/*.csv",))}


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("[project]\nnmae = 'x'\n", "AFS0951", 2, "did you mean `name`?"),
        ("# first\n[projekt]\nname = 'x'\n", "AFS0951", 2, "did you mean `project`?"),
        ("[sources.'a.b']\npath = ['x']\n", "AFS0951", 2, "did you mean `paths`?"),
        ("[env.prod]\nroots = []\n", "AFS0951", 2, "`sources`"),
        ("[env.p.sources.'a.b']\nfromat = 'csv'\n", "AFS0951", 2, "did you mean `format`?"),
        ("[project]\nname = 3\n", "AFS0952", 2, ""),
        ("[project]\nroots = 'data'\n", "AFS0952", 2, 'write `roots = ["data"]`'),
        ("[project]\nroots = ['.', 3]\n", "AFS0952", 2, ""),
        ("project = 3\n", "AFS0952", 1, ""),
        ("[sources]\nx = 3\n", "AFS0952", 2, ""),
        ("[env]\nprod = 'x'\n", "AFS0952", 2, ""),
        ("[diagnostics]\ndeny = [\n  'AFS0951',\n  'AFS9999',\n]\n", "AFS0953", 4, "explain"),
        ("[sources.'a.b']\npaths = []\n", "AFS0952", 2, "leave the line out"),
        ("[diagnostics]\nallow = ['AFS0951']\n", "AFS0954", 2, "astrafs explain AFS0951"),
        ("[sources.'a.b']\nformat = 'parket'\n", "AFS0955", 2, "did you mean `parquet`?"),
        ("[project]\nroots = ['.', 'gone']\n", "AFS0956", 2, "create `gone`"),
        ("[project\nname = 'x'\n", "AFS0950", 1, ""),
        ("[project]\nname = 'x\n", "AFS0950", 2, ""),
        ("[project]\nname = x\n", "AFS0950", 2, ""),
        ("[project]\nroots = [\n", "AFS0950", 2, ""),
    ],
)
def test_each_mistake_has_one_placed_diagnostic(
    tmp_path: Path, text: str, code: str, line: int, words: str
) -> None:
    _, found = load(tmp_path, text)
    assert [(one[0], one[1]) for one in found] == [(code, line)]
    assert words in found[0][3]


@pytest.mark.parametrize(
    ("text", "micros"), [("7d", 604_800_000_000), ("1d12h", 129_600_000_000), ("1us", 1)]
)
def test_how_far_back_online_questions_go(tmp_path: Path, text: str, micros: int) -> None:
    config, found = load(tmp_path, f'[online]\nstore = "state"\nhistory = "{text}"\n')
    assert found == []
    assert (config.online, config.history) == ("state", micros)


@pytest.mark.parametrize("value", ['"soon"', '"0d"', '"7"', '"2026-01-01"', '"-1d"', "7", '"1h7d"'])
def test_what_is_no_length_of_time_is_placed(tmp_path: Path, value: str) -> None:
    config, found = load(tmp_path, f"[online]\n\nhistory = {value}\n")
    assert [(one[0], one[1]) for one in found] == [("AFS0952", 3)]
    assert config.history is None


def test_an_unknown_environment_is_a_usage_error(tmp_path: Path) -> None:
    text = "[env.production.sources]\n"
    _, found = load(tmp_path, text, env="prodution")
    assert [(one[0], one[3]) for one in found] == [("AFS0016", "did you mean `production`?")]
    (tmp_path / "empty").mkdir()
    _, found = load(tmp_path / "empty", None, env="prod")
    assert [one[0] for one in found] == ["AFS0016"]


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "astrafs.toml").write_bytes(b"\xff\xfe")
    _, found = load(tmp_path, None)
    assert [one[0] for one in found] == ["AFS0960"]


def test_an_override_of_an_unknown_source_is_placed(tmp_path: Path) -> None:
    text = "[project]\nname = 'x'\n\n[sources.\"shop.order\"]\npaths = ['a.csv']\n"
    config, found = load(tmp_path, text)
    assert found == []
    sink = Sink()
    check_overrides(config, ["shop.orders"], sink)
    (one,) = sink
    assert one.code.id == "AFS0957"
    assert one.helps == ("did you mean `shop.orders`?",)
    assert config.file is not None
    assert one.primary is not None
    assert config.file.position(one.primary.span.start)[0] == 4


WARNING = Code("AFS0399", "a warning", explain="", severity=Severity.WARNING)
ERROR = Code("AFS0398", "an error", explain="")


@pytest.mark.parametrize(
    ("levels", "severity"),
    [
        (Levels(), "warning"),
        (Levels(deny=frozenset({"AFS0399"})), "error"),
        (Levels(deny=frozenset({"warnings"})), "error"),
        (Levels(allow=frozenset({"AFS0399"})), None),
        (Levels(deny=frozenset({"warnings"}), allow=frozenset({"AFS0399"})), None),
        (Levels(deny=frozenset({"warnings"}), warn=frozenset({"AFS0399"})), "warning"),
        (
            Levels(warn=frozenset({"AFS0399"})).over(Levels(deny=frozenset({"AFS0399"}))),
            "warning",
        ),
        (Levels().over(Levels(deny=frozenset({"AFS0399"}))), "error"),
    ],
)
def test_levels_change_warnings_only(levels: Levels, severity: str | None) -> None:
    place = Span("a.afs", 0, 1)
    found = list(levels.apply([WARNING.at(place, ""), ERROR.at(place, "")]))
    assert found[-1].code == ERROR
    assert [str(one.code.severity) for one in found[:-1]] == ([severity] if severity else [])
