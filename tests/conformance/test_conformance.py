"""Cases from the test suites of other systems: their answers, or their refusals, are ours."""

from __future__ import annotations

import pytest

import astrafs
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile
from tests.conformance import reference
from tests.conformance.cases import END_OF_TIME, Case, all_cases, differences, pending
from tests.conformance.report import PAGE, page

CASES = all_cases()
ANSWERED = [case for case in CASES if not case.is_refusal]
REFUSED = [case for case in CASES if case.is_refusal]
ENOUGH = 100_000


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.id)
def test_gives_the_rows_of_the_case(case: Case) -> None:
    project = astrafs.load(case.folder)
    if "dataset" in case.meta:
        result = project.dataset(case.meta["dataset"], as_of=END_OF_TIME)["all"]
    else:
        result = project.backfill(case.meta["view"], spine=case.spine, as_of=END_OF_TIME)
    assert differences(case, result) == []


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case.id)
def test_reference_gives_them_too(case: Case) -> None:
    program = reference.compiled(case)
    if "dataset" in case.meta:
        assert differences(case, reference.examples(case, program)) == []
        return
    found = reference.answers(case, program, ENOUGH)
    assert found.num_rows == case.spine.num_rows or case.spine.num_rows > 50
    assert differences(case, found, head=True) == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_refuses_with_one_message_that_names_the_cause(case: Case) -> None:
    sink = Sink()
    compile_project((SourceFile("case.afs", case.program),), sink)
    errors = [found for found in sink if found.is_error]
    assert len(errors) == 1, [(found.code.id, found.title) for found in errors]
    said = text_of(errors[0])
    assert [word for word in case.meta["must_mention"] if word not in said] == []
    if "should_suggest" in case.meta:
        assert f"`{case.meta['should_suggest']}`" in " ".join(errors[0].helps)


def text_of(diagnostic: Diagnostic) -> str:
    """Everything that the diagnostic says in words."""
    labels = [label.text for label in (diagnostic.primary, *diagnostic.labels) if label]
    return "\n".join((diagnostic.title, *labels, *diagnostic.notes, *diagnostic.helps))


def test_every_case_is_accounted_for_once() -> None:
    listed = [name for kind in pending().values() for name in kind]
    have = [case.id for case in CASES]
    assert len(set(listed + have)) == len(listed) + len(have) == 112


def test_small_files_with_an_origin() -> None:
    for case in CASES:
        assert set(case.meta["origin"]) == {"repo", "commit", "path", "case", "license"}
        for file in case.folder.rglob("*"):
            assert file.stat().st_size < 100_000, file


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.conformance.report"
