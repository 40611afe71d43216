"""Compiling small programs in tests."""

from __future__ import annotations

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.source import SourceFile

HEAD = """owner "risk@acme.test"

unit usd

entity User { user_id: int }
entity Route { origin: string, dest: string }

## Payments.
source payments from parquet("payments.parquet") key txn_id time at {
  txn_id:  string
  user_id: User
  origin:  string
  dest:    string
  amount:  decimal(12, 2) [usd]
  score:   float?
  n:       int?
  status:  enum("approved", "declined")
  paid:    timestamp?
  at:      timestamp
}

## Rates.
table rates from csv("rates.csv") key currency time at max_age 2h {
  currency: string
  rate:     float
  at:       timestamp
}
"""


def compiled(*texts: str) -> tuple[Program, list[str]]:
    """Compile files ``main.afs``, ``m1.afs``, ...; the program and the codes reported."""
    files = [
        SourceFile("main.afs" if number == 0 else f"m{number}.afs", text)
        for number, text in enumerate(texts)
    ]
    sink = Sink()
    program = compile_project(files, sink)
    assert program is not None
    return program, [found.code.id for found in sink]


def clean(text: str) -> Program:
    """Compile ``HEAD`` and ``text``, which must be free of diagnostics."""
    program, found = compiled(HEAD + text)
    assert found == []
    return program


def feature(program: Program, name: str) -> ir.Feature:
    """Return version 1 of the one feature called ``name``."""
    (found,) = (f for f in program.plan.features if f.id.name == name and f.id.version == 1)
    return found


def value(text: str, type_: str = "float?") -> ir.Expr:
    """Return the plan expression of a feature over payments."""
    body = f"\nfeatures for User from payments {{\n  ## D.\n  f: {type_} = {text}\n}}\n"
    return feature(clean(body), "f").expression
