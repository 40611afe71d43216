"""One run finds the independent mistakes of a file, and adds few that are no mistakes."""

from __future__ import annotations

import sys

import pytest

from tests.errors.planted import FILES, all_results, marks

LEAST_FOUND = 0.95
MOST_CASCADES = 0.05


def test_the_set_is_what_it_says() -> None:
    texts = [path.read_text("utf-8") for path in sorted(FILES.glob("*.afs"))]
    assert len(texts) == 100
    counts = [marks(text).total() for text in texts]
    assert min(counts) >= 2
    assert max(counts) <= 6
    codes = {code for text in texts for _, code in marks(text)}
    assert len(codes) > 50
    stages = {code[:5] for code in codes}
    assert stages == {"AFS01", "AFS02", "AFS03", "AFS04", "AFS05"}


def test_planted_mistakes_are_found_without_cascades(capsys: pytest.CaptureFixture[str]) -> None:
    results = list(all_results())
    planted = sum(result.planted for result in results)
    missed = sum(len(result.missed) for result in results)
    unexpected = sum(len(result.unexpected) for result in results)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{planted - missed} of {planted} planted mistakes found "
            f"({(planted - missed) / planted:.1%}) in {len(results)} programs, "
            f"{unexpected} messages besides ({unexpected / planted:.1%})\n"
        )
    worst = [result for result in results if result.missed or result.unexpected]
    assert missed <= (1 - LEAST_FOUND) * planted, worst
    assert unexpected < MOST_CASCADES * planted, worst
