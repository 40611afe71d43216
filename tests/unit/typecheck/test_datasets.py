"""What a dataset and a union accept, and what they say when they do not."""

from __future__ import annotations

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.text import expression_text
from astrafs.source import SourceFile

BASE = """owner "a@b.test"

entity User { user_id: int }
entity Shop { shop_id: int }
entity Route { origin: string, dest: string }

## Payments.
source pay from parquet("p.parquet") key id time at delay 2h {
  id:       int
  payer:    User
  payee:    User
  shop_id:  Shop?
  origin:   string
  dest:     string
  amount:   int
  disputed: bool settles 60d
  cleared:  float? known cleared_at
  cleared_at: timestamp?
  at:       timestamp
}

## Other payments.
source cash from parquet("c.parquet") key id time at {
  id:       int
  payer:    User
  shop_id:  Shop
  amount:   int?
  at:       timestamp
}

features for User from pay by payer {
  ## So far.
  n: int = count() over all
}
features for Route from pay {
  ## So far.
  m: int = count() over all
}
features for Shop from pay {
  ## So far.
  k: int = count() over all
}
labels for User from pay by payer {
  ## Coming payments.
  next_1d: int = count() over next 1d
  ## Coming disputes.
  bad_1d: int = count(where disputed) over next 1d
  ## Both.
  either: int = next_1d + bad_1d
  ## Of yesterday, as they have settled.
  late: int = count(where disputed) over 1d
}

view users for User { n }
view routes for Route { m }
view shops for Shop { k }
"""


def compiled(text: str) -> tuple[Program, Sink]:
    """Compile ``text`` behind the base."""
    sink = Sink()
    program = compile_project((SourceFile("q.afs", BASE + text),), sink)
    assert program is not None
    return program, sink


def only(text: str) -> ir.Dataset:
    """The one dataset of a program without mistakes."""
    program, sink = compiled(text)
    assert not list(sink), list(sink)
    (dataset,) = program.plan.datasets
    return dataset


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("dataset d view users spine pay by payee", ["payee"]),
        ("dataset d view routes spine pay", ["origin", "dest"]),
        ("dataset d view routes spine pay by dest, origin", ["dest", "origin"]),
        ("dataset d view shops spine pay", ["shop_id"]),
        (
            "request R { shop: Shop? amount: float }\n"
            "features for R {\n## F.\nf: float = amount\n}\n"
            "view v for R { f }\ndataset d view v spine pay",
            ["shop_id", "to_float(amount)"],
        ),
        ("stream both from union(pay, cash) {}\ndataset d view users spine both", ["payer"]),
    ],
)
def test_where_the_questions_come_from(text: str, keys: list[str]) -> None:
    assert [expression_text(key) for key in only(text).keys] == keys


REQUEST = "request R {{ {} }}\nfeatures for R {{\n## F.\nf: int = 1\n}}\nview v for R {{ f }}\n"
FIELD = REQUEST + "dataset d view v spine pay"


@pytest.mark.parametrize(
    ("text", "code", "title"),
    [
        ("dataset d view users spine pay", "AFS0217", "`pay` has several keys of `User`"),
        (FIELD.format("user: User"), "AFS0332", "several columns of `pay` may be the field `user`"),
        (FIELD.format("hour: int"), "AFS0332", "the spine `pay` has no field `hour` of `R`"),
        (FIELD.format("shop_id: Shop"), "AFS0332", "field `shop_id` of `R` is never null"),
        (FIELD.format("amount: string"), "AFS0332", "field `amount` of `R` is `string`"),
        (FIELD.format("id: int") + " by id", "AFS0332", "`by` goes with the view of an entity"),
        (FIELD.format("disputed: bool"), "AFS0502", "gives `disputed` to the view"),
        (FIELD.format("cleared: float?"), "AFS0503", "gives `cleared` to the view"),
        (FIELD.format("amount: int") + " label amount", "AFS0513", "`amount` is given to the view"),
        ("dataset d view shops spine pay label n", "AFS0206", "`pay` has no column `n`"),
        ("dataset d view shops spine pay label next_1d", "AFS0206", "no column `next_1d`"),
        ("dataset d view shops spine pay label Shop[shop_id].k", "AFS0334", "`k` is no label"),
        ("dataset d view shops spine pay label amount as k", "AFS0205", "two columns `k`"),
        ("dataset d view shops spine pay label amount label amount", "AFS0205", "two columns"),
        ("dataset d view shops", "AFS0333", "dataset `d` has no spine"),
        ("dataset d view shops spine pay split train before 3, test from 4", "AFS0335", "instants"),
        ("dataset d view nothing spine pay", "AFS0201", "unknown view `nothing`"),
        ("stream u from union(pay, pay) {}", "AFS0205", "`pay` stands twice in a union"),
        ("stream u from union(pay, cash) { x: string = origin }", "AFS0201", "`origin`"),
        ("stream u from union(pay, v) {}\nstream v from u {}", "AFS0211", "is based on itself"),
    ],
)
def test_what_is_said(text: str, code: str, title: str) -> None:
    _, sink = compiled(text)
    found = [one for one in sink if one.is_error]
    assert code in [one.code.id for one in found], [one.title for one in found]
    assert any(title in one.title for one in found), [one.title for one in found]
    assert len(found) <= 2


def test_a_use_of_a_column_that_a_member_lacks_says_which() -> None:
    _, sink = compiled("stream u from union(pay, cash) { x: string = origin }")
    (found,) = sink
    assert found.notes == ("a union has the columns of all its members: `cash` has no `origin`",)


DAY = 86_400_000_000
HOUR = DAY // 24


@pytest.mark.parametrize(
    ("label", "horizon", "known"),
    [
        ("User[payer].next_1d", DAY + 2 * HOUR, ()),
        ("User[payer].bad_1d", 61 * DAY, ()),
        ("User[payer].either", 61 * DAY, ()),
        ("User[payer].late", 60 * DAY, ()),
        ("disputed", 60 * DAY, ()),
        ("cleared", 0, ("cleared_at",)),
        ("amount", 0, ()),
        ("worse", 60 * DAY, ("cleared_at",)),
    ],
)
def test_when_labels_are_decided(label: str, horizon: int, known: tuple[str, ...]) -> None:
    dataset = only(
        "stream s from pay { worse: bool = disputed and cleared is null }\n"
        f"dataset d view shops spine s label {label} as y"
    )
    (found,) = dataset.labels
    assert (found.horizon, found.known) == (horizon, known)
    assert found.type.nullable


def test_columns_that_are_shown() -> None:
    dataset = only("dataset d view shops spine pay label amount")
    names = [column.name for column in dataset.columns]
    assert names == ["id", "payer", "payee", "shop_id", "origin", "dest", "at"]


def test_a_stream_of_the_moment_knows_the_column() -> None:
    dataset = only(
        "stream s from pay time cleared_at where cleared_at is not null {}\n"
        "dataset d view shops spine s label cleared"
    )
    (label,) = dataset.labels
    assert (label.horizon, label.known) == (0, ())
    assert "cleared_at" in [column.name for column in dataset.columns]
    assert "disputed" not in [column.name for column in dataset.columns]


def test_unions_that_double_end() -> None:
    lines = ["stream u0 from union(pay, cash) {}"]
    for level in range(1, 12):
        lines += [
            f"stream a{level} from u{level - 1} {{}}",
            f"stream b{level} from u{level - 1} {{}}",
            f"stream u{level} from union(a{level}, b{level}) {{}}",
        ]
    _, sink = compiled("\n".join(lines))
    assert [found.code.id for found in sink] == ["AFS0220"]
