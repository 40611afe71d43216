"""The grammar and its shipped table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import lark
import pytest

from astrafs.syntax import resources, table
from astrafs.syntax.machine import machine
from astrafs.syntax.resources import grammar_text, table_text
from astrafs.syntax.words import RESERVED, RESERVED_TYPES, SOFT, SOFT_TYPES, SPELLING

EVERYTHING = (Path(__file__).parent / "everything.afs").read_text("utf-8")


def test_the_shipped_table_is_current() -> None:
    assert table_text() == table.render_table(grammar_text()), "run python -m astrafs.syntax.table"


def test_the_table_is_the_same_for_every_hash_seed() -> None:
    command = [sys.executable, "-m", "astrafs.syntax.table", "--check"]
    for seed in ("1", "2"):
        done = subprocess.run(
            command,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(table.__file__).parents[2])},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger=lark.logger.name):
        table.build_parser(grammar_text())
    assert "onflict" not in caplog.text


def test_the_grammar_is_strictly_clean() -> None:
    table.build_parser(grammar_text(), strict=True)


def test_a_stale_table_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = resources.load_table()
    stale = table_text().replace('"words":{', '"words":{"stale":"STALE",')
    monkeypatch.setattr(
        resources, "table_text", lambda: stale.replace('"grammar":"', '"grammar":"0')
    )
    resources.load_table.cache_clear()
    try:
        assert resources.load_table() == shipped
    finally:
        resources.load_table.cache_clear()


def test_a_current_table_is_loaded_without_lark() -> None:
    program = "import sys, astrafs.syntax.machine as m; m.machine(); print('lark' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(table.__file__).parents[2])},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "False\n"


def test_word_lists_are_those_of_the_grammar() -> None:
    parser: Any = table.build_parser(grammar_text())
    words = {
        terminal.pattern.value: terminal.name
        for terminal in parser.parser.lexer_conf.terminals
        if terminal.pattern.type == "str" and terminal.pattern.value.isidentifier()
    }
    assert set(words) == RESERVED | SOFT
    assert set(words.values()) == RESERVED_TYPES | SOFT_TYPES
    signs = {
        terminal.name: terminal.pattern.value
        for terminal in parser.parser.lexer_conf.terminals
        if terminal.pattern.type == "str" and not terminal.pattern.value.isidentifier()
    }
    assert signs == SPELLING


def test_the_scanner_makes_the_tokens_of_larks_lexer() -> None:
    interactive = table.build_parser(grammar_text()).parse_interactive(EVERYTHING)
    wanted = list(interactive.lexer_thread.lex(interactive.parser_state))
    found = list(machine().scanner.scan(EVERYTHING))
    assert [(t.type, str(t), t.start_pos, t.line, t.column) for t in found] == [
        (t.type, str(t), t.start_pos, t.line, t.column) for t in wanted
    ]


def test_every_reduction_has_its_method() -> None:
    parser: Any = table.build_parser(grammar_text())
    builder = machine().builder
    for rule in parser.rules:
        name = rule.alias or rule.origin.name
        if name.startswith("_") or (rule.options.expand1 and len(rule.expansion) == 1):
            continue
        assert hasattr(builder, name), name
