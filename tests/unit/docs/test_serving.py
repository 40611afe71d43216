"""The guide of serving is run from top to bottom, as the tutorial is."""

from __future__ import annotations

from pathlib import Path

from tests.unit.docs.test_tutorial import DOCS, follow


def test_the_guide_of_serving_does_what_it_says(tmp_path: Path) -> None:
    assert follow(DOCS / "serving.md", tmp_path) >= 10
