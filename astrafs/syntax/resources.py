"""Where the grammar and its parse table lie: inside the installed package, or beside it in a
checkout.
"""

from __future__ import annotations

from pathlib import Path

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
