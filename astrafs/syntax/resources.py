"""Where the grammar and its parse table lie: inside the installed package, or beside it in a
checkout.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

GRAMMAR_FILE = "astrafs.lark"
TABLE_FILE = "astrafs.table.json"

_PACKAGE = Path(__file__).resolve().parent.parent


def grammar_directory() -> Path:
    """Return the directory that holds the grammar; a wheel's copy wins over a checkout's."""
    for directory in (_PACKAGE / "_grammar", _PACKAGE.parent / "grammar"):
        if (directory / GRAMMAR_FILE).is_file():
            return directory
    raise FileNotFoundError("the AstraFS grammar is missing from this installation")


def grammar_text() -> str:
    """Return the text of the grammar, with ``\\n`` line ends whatever the checkout did to them."""
    text = (grammar_directory() / GRAMMAR_FILE).read_bytes().decode("utf-8")
    return text.replace("\r\n", "\n")


def table_text() -> str:
    """Return the generated parse table, or an empty string where there is none."""
    path = grammar_directory() / TABLE_FILE
    return path.read_bytes().decode("utf-8") if path.is_file() else ""


def grammar_digest(grammar: str) -> str:
    """Return the digest by which a table names the grammar that it was made from."""
    return hashlib.sha256(grammar.encode("utf-8")).hexdigest()


@lru_cache(maxsize=1)
def load_table() -> dict[str, Any]:
    """Return the parse table as ``table.render_table`` describes it: the shipped one, or a new one
    where that does not fit the grammar.
    """
    grammar = grammar_text()
    text = table_text()
    if text:
        found: dict[str, Any] = json.loads(text)
        if found["grammar"] == grammar_digest(grammar):
            return found
    from astrafs.syntax.table import render_table  # it imports Lark, which a current table saves

    made: dict[str, Any] = json.loads(render_table(grammar))
    return made
