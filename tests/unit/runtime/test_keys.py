"""Keys and request fields from the command line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.plan.ir import Entity, Field
from astrafs.runtime.keys import parse_keys
from astrafs.typesys import (
    BOOL,
    BYTES,
    DATE,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
)

USER = Type(Kind.KEY, entity="m.User", parts=(INT,))
STATUS = Type(Kind.ENUM, values=("on", "off"))
ONE = Entity("m.User", (Field("user_id", INT),))
ROUTE = Entity("m.Route", (Field("origin", STRING), Field("dest", STRING)))
REQUEST = Entity(
    "m.Ask", (Field("user", USER.optional()), Field("amount", decimal(6, 2))), request=True
)


@pytest.mark.parametrize(
    ("entity", "given", "keys"),
    [
        (ONE, ["7"], (7,)),
        (ONE, ["user_id=-7"], (-7,)),
        (ROUTE, ["JFK", "LAX"], ("JFK", "LAX")),
        (ROUTE, ["dest=LAX", "JFK"], ("JFK", "LAX")),
        (ROUTE, ["a=b", "dest=c=d"], ("a=b", "c=d")),
        (REQUEST, ["amount=5"], (None, Decimal("5.00"))),
        (REQUEST, ["user=null", "amount=5.25"], (None, Decimal("5.25"))),
        (Entity("m.World", ()), [], ()),
    ],
)
def test_parses(entity: Entity, given: list[str], keys: tuple[Any, ...]) -> None:
    assert parse_keys(entity, given) == keys


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (FLOAT, "-0.0", 0.0),
        (BOOL, "true", True),
        (STATUS, "off", "off"),
        (TIMESTAMP, "1970-01-01T00:00:01Z", 1_000_000),
        (DATE, "1970-01-02", 1),
        (DURATION, "1h", 3_600_000_000),
        (BYTES, "00ff", b"\x00\xff"),
        (USER, "9", 9),
    ],
)
def test_types(type_: Type, text: str, value: Any) -> None:
    assert parse_keys(Entity("m.E", (Field("k", type_),)), [f"k={text}"]) == (value,)


@pytest.mark.parametrize(
    ("entity", "given", "said"),
    [
        (ONE, [], "the key of `User` is not complete"),
        (ONE, ["x"], "--key: `user_id` is `int`, and `x` is none"),
        (
            ONE,
            ["9223372036854775808"],
            "--key: `user_id` is `int`, and `9223372036854775808` is none",
        ),
        (ONE, ["1", "2"], "--key: `User` has no `2`"),
        (ONE, ["user_id=1", "user_id=1"], "--key: `user_id` is given twice"),
        (ROUTE, ["origin=A", "dst=B"], "--key: `Route` has no `dst`"),
        (REQUEST, ["amount=5.255"], "--key: `amount` is `decimal(6, 2)`, and `5.255` is none"),
        (REQUEST, ["amount=NaN"], "--key: `amount` is `decimal(6, 2)`, and `NaN` is none"),
        (REQUEST, ["user=1"], "the request `Ask` is not complete"),
    ],
)
def test_refuses(entity: Entity, given: list[str], said: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        parse_keys(entity, given)
    (found,) = caught.value.diagnostics
    assert (found.code.id, found.title) == ("AFS0015", said)
