"""Data classes that make their methods late behave as those that make them at once."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Late:
    """A class of each kind of field."""

    name: str
    size: int = 3
    parts: list[int] = dataclasses.field(default_factory=list, hash=False)
    place: str = dataclasses.field(default="", compare=False, repr=False)
    made: str = dataclasses.field(init=False, compare=False, default="later")


@dataclasses.dataclass(frozen=True, slots=True)
class Early:
    """The same, by the standard library."""

    name: str
    size: int = 3
    parts: list[int] = dataclasses.field(default_factory=list, hash=False)
    place: str = dataclasses.field(default="", compare=False, repr=False)
    made: str = dataclasses.field(init=False, compare=False, default="later")


@dataclass(slots=True)
class Base:
    """One that can be changed."""

    items: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass(slots=True)
class Derived(Base):
    """And one below it."""

    more: int = 0

    def __post_init__(self) -> None:
        self.more += 1


def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
    return Late(*args, **kwargs), Early(*args, **kwargs)


def test_values_text_and_hash() -> None:
    for late, early in (both("a"), both("a", 4), both(name="a", parts=[1], place="p")):
        assert dataclasses.asdict(late) == dataclasses.asdict(early)
        assert repr(late) == repr(early).replace("Early", "Late")
        assert hash(late) == hash(early)
        assert dataclasses.astuple(dataclasses.replace(late, size=9))[1] == 9
    assert Late("a", place="x") == Late("a", place="y")
    assert Late("a") != Late("b")
    assert Late("a") != Early("a")
    assert Late("a").parts is not Late("a").parts
    assert Late.__match_args__ == Early.__match_args__
    assert not hasattr(Late("a"), "__dict__")


def test_wrong_arguments_are_refused_alike() -> None:
    for args, kwargs in (((), {}), (("a", 1, [], "", "x"), {}), (("a",), {"other": 1})):
        texts = []
        for kind in (Late, Early):
            with pytest.raises(TypeError) as caught:
                kind(*args, **kwargs)
            texts.append(str(caught.value).replace("Early", "Late"))
        assert texts[0] == texts[1]


def test_a_frozen_one_stays_as_it_is() -> None:
    late = Late("a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        late.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del late.name
    assert pickle.loads(pickle.dumps(late)) == late == copy.deepcopy(late)


def test_one_that_changes_and_one_below_it() -> None:
    derived = Derived({"a": 1})
    assert (derived.items, derived.more) == ({"a": 1}, 1)
    derived.more = 7
    assert derived == Derived({"a": 1}, 6)
    assert derived != Base({"a": 1})
    with pytest.raises(TypeError, match="unhashable"):
        hash(derived)
