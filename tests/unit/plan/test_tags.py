"""Tags by what is read: every way in which a feature may come by one, and those that give none."""

from __future__ import annotations

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.json import dumps, loads
from astrafs.source import SourceFile

PROGRAM = """owner "a@b.test"

entity User { user_id: int }
entity Shop { shop_id: int }

## Rows.
source orders from csv("o.csv") key id time at {
  id: int tags "id"
  user_id: User tags "user"
  shop_id: Shop tags "shop"
  email: string tags "pii", "contact"
  amount: float
  at: timestamp tags "when"
}

## Rows of the same columns.
source visits from csv("v.csv") key id time at {
  id: int
  user_id: User
  email: string tags "visited"
  at: timestamp
}

## Names.
table names from csv("n.csv") key email time at {
  email: string
  name: string tags "name"
  rank: int
  at: timestamp
}

## Both.
stream both from union(orders, visits)

## With a condition.
stream written from orders where email != "" {
  domain: string = lower(email)
  plain: float = amount * 2.0
  rank: int? = names[email].rank
}

features for Shop from orders {
  ## N.
  n: int = count() over 7d
  ## Tagged by hand.
  @tags("own")
  own: int = count_distinct(email) over 7d
}

FEATURE
"""


def tags_of(body: str, block: str = "features for User from orders") -> tuple[str, ...]:
    feature = f"{block} {{\n  ## X.\n  {body}\n}}\n"
    plan = compiled(PROGRAM.replace("FEATURE", feature))
    assert loads(dumps(plan)) == plan
    again = {one.id: one.tags for one in loads(dumps(plan)).features}
    found = next(one for one in plan.features if one.id.name == "x")
    assert again[found.id] == found.tags
    return found.tags


def compiled(text: str) -> ir.Plan:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", text),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return program.plan


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ("x: int = count() over 7d", ()),
        ("x: float? = mean(amount) over 7d", ()),
        ("x: string? = last(email) over 7d", ("contact", "pii")),
        ('x: int = count(where email == "a") over 7d', ("contact", "pii")),
        ('x: int = count() over since last (email == "a")', ("contact", "pii")),
        ("x: map[string, int] = count() by email over 7d", ("contact", "pii")),
        ("x: int = count_distinct(shop_id) over 7d", ("shop",)),
        ("x: timestamp? = max(at) over 7d", ("when",)),
        ('x: string? = names["a"].name', ("name",)),
        ('x: int? = names["a"].rank', ()),
        ("x: int? = names[last(email) over 7d].rank", ("contact", "pii")),
        ("x: int = Shop[Shop(1)].n", ()),
        ("x: int = Shop[Shop(1)].own", ("own",)),
        ("x: int = Shop[last(shop_id) over 7d].own", ("own", "shop")),
        ('@tags("z", "a", "z") x: string? = last(email) over 7d', ("a", "z")),
        ("@tags() x: string? = last(email) over 7d", ()),
    ],
)
def test_of_one_feature(body: str, tags: tuple[str, ...]) -> None:
    assert tags_of(body) == tags


@pytest.mark.parametrize(
    ("body", "block", "tags"),
    [
        ("x: int = count() over 7d", 'from orders where email == "a"', ("contact", "pii")),
        ("x: int = count() over 7d", "from orders where amount > 1.0", ()),
        ("x: int = count() over 7d", "from written", ("contact", "pii")),
        ("x: float? = max(plain) over 7d", "from written", ("contact", "pii")),
        ("x: string? = max(domain) over 7d", "from written", ("contact", "pii")),
        ("x: int = count() over 7d", "from both", ()),
        ("x: int = count_distinct(email) over 7d", "from both", ("contact", "pii", "visited")),
        ("x: int = count_distinct(user_id) over 7d", "from both", ("user",)),
    ],
)
def test_of_a_block(body: str, block: str, tags: tuple[str, ...]) -> None:
    assert tags_of(body, f"features for User {block}") == tags


def test_through_features() -> None:
    plan = compiled(
        PROGRAM.replace(
            "FEATURE",
            "features for User from orders {\n"
            "  ## A.\n  a: string? = last(email) over 7d\n"
            "  ## B.\n  b: int? = length(a)\n"
            "  ## C.\n  @tags()\n  c: int? = b\n"
            "  ## D.\n  d: int? = c\n"
            "}\n",
        )
    )
    found = {one.id.name: one.tags for one in plan.features}
    both = ("contact", "pii")
    assert [found[name] for name in "abcd"] == [both, both, (), ()]


def test_a_circle_is_no_worse_than_without_tags() -> None:
    sink = Sink()
    text = PROGRAM.replace(
        "FEATURE", "features for User {\n  ## A.\n  a: int = b\n  ## B.\n  b: int = a\n}\n"
    )
    compile_project((SourceFile("m.afs", text),), sink)
    assert [found.code.id for found in sink if found.is_error] == ["AFS0211"]
