"""The OpenAPI document: it is one, its examples are true, and what it says of types holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from astrafs.online.values import from_json, to_json
from astrafs.server.forms import example_of, value_form
from astrafs.typesys import BOOL, BYTES, DATE, DURATION, FLOAT, INT, STRING, TIMESTAMP, Kind, Type
from astrafs.values.numbers import INT_MAX, INT_MIN, MAX_TIME, MIN_TIME
from tests.unit.server.conftest import Running

DECIMAL = Type(Kind.DECIMAL, precision=12, scale=2)
TYPES: dict[Type, st.SearchStrategy[Any]] = {
    INT: st.integers(INT_MIN, INT_MAX),
    FLOAT: st.floats(allow_nan=False, allow_infinity=False).map(lambda one: one + 0.0),
    BOOL: st.booleans(),
    STRING: st.text(),
    BYTES: st.binary(),
    TIMESTAMP: st.integers(MIN_TIME, MAX_TIME),
    DATE: st.integers(-10_000, 30_000),
    DURATION: st.integers(-(10**17), 10**17),
    DECIMAL: st.integers(-(10**12) + 1, 10**12 - 1).map(lambda one: Decimal(one).scaleb(-2)),
    Type(Kind.ENUM, values=("new", "old")): st.sampled_from(("new", "old")),
    Type(Kind.LIST, parts=(INT.optional(),)): st.lists(
        st.none() | st.integers(-9, 9), max_size=3
    ).map(tuple),
    Type(Kind.VECTOR, precision=2): st.just((0.5, -1.0)),
    Type(Kind.MAP, parts=(STRING, FLOAT)): st.dictionaries(st.text(), st.just(0.5), max_size=3).map(
        lambda one: tuple(sorted(one.items()))
    ),
}


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_every_value_has_the_form_of_its_type(type_: Type) -> None:
    optional = Draft202012Validator(value_form(type_.optional()))
    form = Draft202012Validator(value_form(type_))
    assert optional.is_valid(None) and not form.is_valid(None)
    assert form.is_valid(example_of(type_))
    from_json(example_of(type_), type_)

    @settings(max_examples=50, deadline=None)
    @given(TYPES[type_])
    def check(value: Any) -> None:
        written = to_json(value, type_)
        assert form.is_valid(written), written
        assert optional.is_valid(written)
        assert Draft202012Validator(value_form(type_, given=True)).is_valid(written)

    check()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("9007199254740992", False),
        ("9007199254740993", True),
        ("9223372036854775807", True),
        ("9223372036854775808", False),
        ("-9223372036854775808", True),
        ("-9223372036854775809", False),
        ("10000000000000000", True),
        ("09007199254740993", False),
        ("1", False),
    ],
)
def test_large_integers_are_strings_of_just_these_digits(text: str, is_one: bool) -> None:
    assert Draft202012Validator(value_form(INT)).is_valid(text) is is_one
    if is_one:
        assert to_json(from_json(text, INT), INT) == text


def test_the_document_is_one(running: Running) -> None:
    document = running.client.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert set(document["paths"]) == {
        "/views",
        "/views/shop.user",
        "/views/shop.user/schema",
        "/ingest/shop.payments",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
    }


def test_the_examples_are_answered_as_it_says(running: Running) -> None:
    document = running.client.get("/openapi.json").json()
    seen = 0
    for path, operations in document["paths"].items():
        operation = operations.get("post")
        if operation is None:
            continue
        body = operation["requestBody"]["content"]["application/json"]
        for example in body["examples"].values():
            schema(document, body["schema"]).validate(example["value"])
            answer = running.client.post(path, json=example["value"])
            assert answer.status_code == 200, answer.text
            told = operation["responses"]["200"]["content"]["application/json"]
            schema(document, told["schema"]).validate(answer.json())
            seen += 1
        for example in operation["responses"]["200"]["content"].get("examples", {}).values():
            schema(document, told["schema"]).validate(example["value"])
    assert seen == 4


def test_problems_have_the_form_that_it_says(running: Running) -> None:
    document = running.client.get("/openapi.json").json()
    form = schema(document, {"$ref": "#/components/schemas/Problem"})
    for body in ({"questions": [{"user_id": "x"}, {}]}, [], {"question": {"user_id": 1}, "at": ""}):
        answer = running.client.post("/views/shop.user", json=body)
        form.validate(answer.json())
        said = document["paths"]["/views/shop.user"]["post"]["responses"]
        assert str(answer.status_code) in said


def schema(document: Any, form: Any) -> Draft202012Validator:
    """Return what judges values by a schema in ``document``."""
    return Draft202012Validator({**form, "components": document["components"]})
