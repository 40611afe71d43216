"""Finding features by the names that people type."""

from __future__ import annotations

import pytest

from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.plan.find import find_feature
from astrafs.plan.ir import FeatureId
from astrafs.plan.program import Program
from astrafs.source import SourceFile

PEOPLE = "## Payers.\nentity User { user_id: int }\nentity Shop { shop_id: int }\n"
CARDS = """\
owner "a@b.test"
use common.people.{User, Shop}
## Payments.
source payments from csv("p.csv") key id time at {
  id: int  user_id: User  shop_id: Shop  at: timestamp
}
features for User from payments {
  ## One.
  spend: int = count() over 1d
  ## Two.
  spend@2: int = count() over 2d
  ## Three.
  @deprecated("too slow")
  spend@3: int = count() over 3d
  ## Both have it.
  both: int = count() over 1d
}
features for Shop from payments {
  ## Both have it.
  both: int = count() over 1d
}
"""


@pytest.fixture(scope="module")
def program() -> Program:
    sink = Sink()
    files = (SourceFile("common/people.afs", PEOPLE), SourceFile("fraud/cards.afs", CARDS))
    found = compile_project(files, sink)
    assert found is not None and not sink.has_errors
    return found


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("spend", "spend", 2),
        ("User.spend", "spend", 2),
        ("people.User.spend", "spend", 2),
        ("common.people.User.spend@1", "spend", 1),
        ("fraud.cards.spend@3", "spend", 3),
        ("cards.User.spend", "spend", 2),
        (" `User.both` ", "both", 1),
    ],
)
def test_finds(program: Program, text: str, name: str, version: int) -> None:
    assert find_feature(program, text) == FeatureId("common.people.User", name, version)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("both", "name one: `common.people.Shop.both`, `common.people.User.both`"),
        ("Shop.spend", "did you mean `common.people.User.spend`?"),
        ("sepnd", "did you mean `User.spend`?"),
        ("spend@4", "there is `@1`, `@2`, `@3`"),
        ("quite_another_thing", "`astrafs graph --format json` lists the features"),
        ("User.", "write `txn_count_1h`, `User.txn_count_1h` or `User.txn_count_1h@2`"),
    ],
)
def test_says_what_was_meant(program: Program, text: str, said: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        find_feature(program, text)
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0030"
    assert found.helps == (said,)
