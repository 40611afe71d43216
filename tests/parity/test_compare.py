"""The comparison sees every bit: signed zeros, nulls, types, order and shape."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.parity.compare import Failure, Outcome, bits_differing, differences

FLOATS = pa.table({"x": pa.array([0.0, None, 1.5])})


@pytest.mark.parametrize(
    "other",
    (
        pa.table({"x": pa.array([-0.0, None, 1.5])}),
        pa.table({"x": pa.array([0.0, 0.0, 1.5])}),
        pa.table({"x": pa.array([0.0, None, 1.5000000000000002])}),
        pa.table({"x": pa.array([0.0, float("nan"), 1.5])}),
        pa.table({"x": pa.array([0, None, 1])}),
        pa.table({"x": pa.array([0.0, None])}),
        pa.table({"y": pa.array([0.0, None, 1.5])}),
        Failure("AFS0930"),
    ),
    ids=("sign", "null", "last bit", "nan", "type", "rows", "name", "failure"),
)
def test_a_difference_is_seen(other: Outcome) -> None:
    assert differences(FLOATS, other)
    assert bits_differing(FLOATS, other) > 0


def test_equal_answers_have_no_difference() -> None:
    assert not differences(FLOATS, pa.table({"x": pa.array([0.0, None, 1.5])}))
    assert not differences(Failure("AFS0930", "here"), Failure("AFS0930", "there"))
    assert differences(Failure("AFS0930"), Failure("AFS0931"))
