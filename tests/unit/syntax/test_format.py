"""The formatter."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile
from astrafs.syntax.format import format_module
from astrafs.syntax.machine import machine
from astrafs.syntax.parse import parse_module

EVERYTHING = (Path(__file__).parent / "everything.afs").read_text("utf-8")


def formatted(text: str) -> str:
    return format_module(SourceFile("a.afs", text))


def tree(text: str) -> object:
    sink = Sink()
    module = parse_module(SourceFile("a.afs", text), "a", sink)
    assert not sink.has_errors
    return module


def comments(text: str) -> list[str]:
    return [str(t).rstrip() for t in machine().scanner.scan(text) if t.type == "COMMENT"]


MESSY = """use   a.{ B,c }
owner "x"   # me


entity   E{id:int,name : string}
source s from csv ( "a" )
   key id   time at{
id:int   # the id
  amount :decimal(12,2)?[usd]


  at: timestamp expect amount>=-1  }
features for E from s
{
## doc
n: int=count( )over(1d,0s]
   +1 m:int=1}
stream q from s where a==1 and(b or -c<-2)
"""

NEAT = """use a.{B, c}
owner "x"  # me

entity E { id: int, name: string }

source s
  from csv("a")
  key  id
  time at
{
  id:     int  # the id
  amount: decimal(12, 2)? [usd]

  at:     timestamp
  expect amount >= -1
}

features for E from s {
  ## doc
  n: int = count() over (1d, 0s] + 1
  m: int = 1
}

stream q from s where a == 1 and (b or -c < -2)
"""


def test_style() -> None:
    assert formatted(MESSY) == NEAT
    assert formatted(NEAT) == NEAT


def test_a_program_with_errors_is_left_alone() -> None:
    assert formatted("entity  E { id: }") == "entity  E { id: }"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "## stray\n"])
def test_small_texts(text: str) -> None:
    once = formatted(text)
    assert formatted(once) == once
    assert comments(once) == comments(text)


def _shaken(text: str, rng: random.Random) -> str:
    """Change the white space between tokens, and put comments where line ends are."""
    out: list[str] = []
    before = None
    for token in machine().scanner.scan(text):
        if before is not None:
            if before.type == "COMMENT":
                out.append("\n" * rng.randint(1, 3))
            elif token.type == "COMMENT":
                out.append("\n")
            else:
                apart = before.end_pos != token.start_pos
                choices = ["", " "] if not apart else [" ", "  ", "\n", "\n\n\n   ", " # note\n"]
                if not apart and (before.type == "NAME" and token.type == "LBRACE"):
                    choices = [" "]
                out.append(rng.choice(choices))
        out.append(str(token))
        before = token
    return "".join(out)


@pytest.mark.parametrize("seed", range(40))
def test_formatting_keeps_meaning_and_comments_and_is_stable(seed: int) -> None:
    text = _shaken(EVERYTHING, random.Random(seed)) if seed else EVERYTHING
    wanted = tree(text)
    once = formatted(text)
    assert tree(once) == wanted
    assert comments(once) == comments(text)
    assert formatted(once) == once
    assert (once == text) == (seed == 0)
