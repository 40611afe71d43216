"""Unions, labels and datasets in a plan: JSON, pruning, identities."""

from __future__ import annotations

from dataclasses import replace

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.identity import dataset_identities, feature_identities
from astrafs.plan.json import dumps, loads
from astrafs.plan.prune import reachable_by_dataset
from astrafs.plan.text import plan_text
from astrafs.plan.verify import verify
from astrafs.source import SourceFile

PROGRAM = """owner "a@b.test"

entity User { user_id: int }

## Cards.
source cards from parquet("c.parquet") key id time at {
  id:       int
  user_id:  User
  amount:   int
  shop:     string
  disputed: bool settles 60d
  at:       timestamp
}

## Transfers.
source transfers from parquet("t.parquet") key id time at delay 1h {
  id:      int
  user_id: User?
  amount:  int
  memo:    string
  at:      timestamp
}

stream all_of_it from union(cards, transfers) { double: int = amount * 2 }

features for User from all_of_it {
  ## Rows.
  n: int = count() over 7d
  ## Unused.
  unused: int = sum(double) over 7d
}

labels for User from all_of_it {
  ## Rows to come.
  next_7d: int = count() over next 7d
}

view facts for User { n }

dataset training view facts spine cards label disputed label User[user_id].next_7d
  split train before 2026-01-01, test from 2026-04-01
dataset others view facts spine all_of_it label amount
"""


def plan_of(text: str = PROGRAM) -> ir.Plan:
    """The plan of a program without mistakes."""
    sink = Sink()
    program = compile_project((SourceFile("q.afs", text),), sink)
    assert program is not None
    assert not list(sink), list(sink)
    return program.plan


def test_json_brings_everything_back() -> None:
    plan = plan_of()
    again = loads(dumps(plan))
    assert again == plan
    assert plan_text(again) == plan_text(plan)
    verify(again)


def test_pruning_keeps_what_a_dataset_reads() -> None:
    part = reachable_by_dataset(plan_of(), "q.training")
    verify(part)
    assert [feature.id.name for feature in part.features] == ["n", "next_7d"]
    assert [dataset.name for dataset in part.datasets] == ["q.training"]
    columns = {source.name: [one.name for one in source.columns] for source in part.sources}
    assert "shop" in columns["q.cards"]  # it is shown
    assert columns["q.transfers"] == ["id", "user_id", "at"]
    (stream,) = part.streams
    assert stream.columns == ()
    with pytest.raises(PlanError):
        reachable_by_dataset(plan_of(), "q.none")


def test_pruning_changes_no_identity() -> None:
    plan = plan_of()
    part = reachable_by_dataset(plan, "q.training")
    assert dataset_identities(part)["q.training"] == dataset_identities(plan)["q.training"]
    assert feature_identities(part).items() <= feature_identities(plan).items()


@pytest.mark.parametrize(
    ("old", "new", "features", "training"),
    [
        ("memo:    string", "memo:    int", False, False),  # nothing reads it
        ("all_of_it", "everything", False, False),
        ("union(cards, transfers)", "union(transfers, cards)", True, True),
        ("delay 1h", "delay 2h", True, True),
        ("label disputed", "label disputed as y", False, True),
        ("test from 2026-04-01", "test from 2026-05-01", False, True),
        ("over next 7d", "over next 8d", False, True),
        ("settles 60d", "settles 50d", False, True),
    ],
)
def test_identities(old: str, new: str, features: bool, training: bool) -> None:
    before, after = plan_of(), plan_of(PROGRAM.replace(old, new))
    name = ir.FeatureId("q.User", "n")
    assert (feature_identities(before)[name] != feature_identities(after)[name]) is features
    changed = dataset_identities(before)["q.training"] != dataset_identities(after)["q.training"]
    assert changed is training


def test_a_label_is_no_feature_of_the_same_text() -> None:
    plan = plan_of()
    name = ir.FeatureId("q.User", "next_7d")
    features = tuple(replace(one, label=False) if one.id == name else one for one in plan.features)
    other = feature_identities(replace(plan, features=features))
    assert other[name] != feature_identities(plan)[name]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda d: replace(d, view="q.none"),
        lambda d: replace(d, spine="q.none"),
        lambda d: replace(d, keys=()),
        lambda d: replace(d, test_from=None),
        lambda d: replace(d, train_before=d.test_from + 1),
        lambda d: replace(d, labels=(replace(d.labels[0], type=d.labels[0].type.required()),)),
        lambda d: replace(d, labels=(replace(d.labels[0], known=("shop",)),)),
        lambda d: replace(d, labels=(d.labels[0], d.labels[0])),
        lambda d: replace(d, columns=(*d.columns, ir.Field("none", d.columns[0].type))),
    ],
)
def test_a_broken_dataset_is_found(wrong: object) -> None:
    plan = plan_of()
    datasets = tuple(
        wrong(one) if one.name == "q.training" else one  # type: ignore[operator]
        for one in plan.datasets
    )
    with pytest.raises(PlanError, match="training"):
        verify(replace(plan, datasets=datasets))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda u: replace(u, members=()),
        lambda u: replace(u, members=("q.none",)),
        lambda u: replace(u, key=("none",)),
        lambda u: replace(u, columns=(*u.columns, ir.Field("shop", u.columns[0].type))),
    ],
)
def test_a_broken_union_is_found(wrong: object) -> None:
    plan = plan_of()
    unions = tuple(wrong(one) for one in plan.unions)  # type: ignore[operator]
    with pytest.raises(PlanError, match="union"):
        verify(replace(plan, unions=unions))
