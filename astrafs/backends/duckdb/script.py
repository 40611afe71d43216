"""A compiled script: named SQL steps in order, what must exist before, and the relation that holds
the result.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. ``name`` is the temporary relation that it makes; ``comment`` says what
    for.
    """

    name: str
    sql: str
    comment: str


@dataclass(frozen=True, slots=True)
class Check:
    """A contract that only the script can judge: ``sql`` returns the offending rows, to be run
    after ``after``.
    """

    after: str
    sql: str
    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that a session needs to compute one view.

    ``inputs`` maps each source to the columns that must stand in its ``src:`` relation;
    ``kernels`` names the functions to register; ``result`` has ``"@row"`` and one column per
    output, in no particular order. ``drops`` maps the name of a step to relations that nothing
    needs after it.
    """

    steps: tuple[Step, ...]
    inputs: dict[str, tuple[str, ...]]
    kernels: tuple[str, ...]
    result: str
    checks: tuple[Check, ...] = ()
    drops: dict[str, tuple[str, ...]] | None = None


def render(script: Script) -> str:
    """Return the script as SQL text that a person can read and run."""
    parts = []
    for step in script.steps:
        comment = "\n".join(f"-- {line}" for line in step.comment.splitlines())
        parts.append(f"{comment}\n{step.sql};\n")
    return "\n".join(parts)
