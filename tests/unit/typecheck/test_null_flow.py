"""What a test for null shows in each branch, and that no more is concluded than that."""

from __future__ import annotations

import pytest

from tests.unit.typecheck.programs import HEAD, compiled

ACCEPTED = [
    "if x is null then 0.0 else x",
    "if x is not null then x else 0.0",
    "if not (x is null) then x else 0.0",
    "if x is not null and x > 1.0 then x else 0.0",
    "if x > 1.0 then x else 0.0",
    "if x + y > 1.0 then x + y else 0.0",
    "if x is null or y is null then 0.0 else x + y",
    "if x is null then 0.0 else if y is null then x else x * y",
    "if (x is not null and y is not null) or (x is not null and y > 0.0) then x else 0.0",
    "if x in [1.0, 2.0] then x else 0.0",
    "x ?? y ?? 0.0",
    "if x is null then y ?? 0.0 else x",
]
REFUSED = [
    "if x is null then x else 0.0",
    "if x is not null or y > 1.0 then x else 0.0",
    "if x > 1.0 then 0.0 else x",
    "if not (x > 1.0) and y > 0.0 then y + x else x",
    "if x is null and y is null then 0.0 else x",
    "if (x ?? 1.0) > 0.0 then x else 0.0",
    "if x is not null then y else 0.0",
    "x ?? y",
    "if y is null then 0.0 else x / y",
]


def body(text: str) -> str:
    return f"""
features for User from payments {{
  ## X.
  x: float? = mean(score) over 7d
  ## Y.
  y: float? = max(score) over 7d
  ## F.
  f: float = {text}
}}
"""


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    assert compiled(HEAD + body(text))[1] == []


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    assert compiled(HEAD + body(text))[1] == ["AFS0302"]
