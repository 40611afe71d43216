"""Large and deep programs: accepted or refused with a code, never a crash of the compiler."""

from __future__ import annotations

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import MAX_FILES, compile_project
from astrafs.source import SourceFile
from tests.unit.typecheck.programs import HEAD, compiled

CHAIN = 1_000


def features(lines: list[str]) -> str:
    body = "\n".join(f"  ## D.\n  {line}" for line in lines)
    return f"{HEAD}\nfeatures for User from payments {{\n{body}\n}}\n"


@pytest.mark.parametrize("step", [-1, 1])
def test_long_chains_of_features(step: int) -> None:
    last = 0 if step < 0 else CHAIN
    lines = [f"f{n}: int = {'1' if n == last else f'f{n + step} + 1'}" for n in range(CHAIN + 1)]
    assert compiled(features(lines))[1] == []


def test_a_long_circle_of_features_is_one_message() -> None:
    lines = [f"f{n}: int = f{(n + 1) % CHAIN} + 1" for n in range(CHAIN)]
    assert compiled(features(lines))[1] == ["AFS0211"]


@pytest.mark.parametrize("step", [-1, 1])
def test_long_chains_of_constants_and_windows(step: int) -> None:
    def name(kind: str, n: int) -> str:
        return f"{kind}{n + step}"

    last = 0 if step < 0 else CHAIN
    lines = []
    for n in range(CHAIN + 1):
        value = "1" if n == last else f"{name('c', n)} + 1"
        window = "1d" if n == last else name("w", n)
        lines += [f"const c{n} = {value}", f"window w{n} = {window}"]
    assert compiled("\n".join(lines) + "\n")[1] == []


def test_functions_that_call_one_another_deeply() -> None:
    lines = [f"fn f{n}(x: int) -> int = f{n + 1}(x) + 1" for n in range(500)]
    lines.append("fn f500(x: int) -> int = x")
    assert compiled("\n".join(lines) + "\n")[1] == ["AFS0318"]


@pytest.mark.parametrize("growth", ["{0} + 1", "{0} + {0}"])
def test_columns_that_put_one_another_in_place(growth: str) -> None:
    lines = ["y0: int? = n"] + [f"y{n}: int? = {growth.format(f'y{n - 1}')}" for n in range(1, 400)]
    body = "\n".join(f"  {line}" for line in lines)
    assert compiled(f"{HEAD}\nstream s from payments {{\n{body}\n}}\n")[1] == ["AFS0318"]


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["1"] * 250),
        "(" * 60 + "1" + ")" * 60,
        "abs(" * 60 + "1" + ")" * 60,
        "if 1 > 2 then 1 else " * 60 + "1",
        "if 1 > 2 then " * 60 + "1" + " else 1" * 60,
    ],
    ids=["chain", "brackets", "calls", "else", "then"],
)
def test_expressions_at_the_limits_of_the_parser(text: str) -> None:
    assert compiled(features([f"f: int = {text}"]))[1] == []


def test_too_many_files() -> None:
    sink = Sink()
    files = [SourceFile(f"m{n}.afs", "") for n in range(MAX_FILES + 1)]
    assert compile_project(files, sink) is None
    assert [found.code.id for found in sink] == ["AFS0220"]


def test_damaged_programs_are_reported_and_never_crash() -> None:
    text = features(
        ["a: int = count() over 7d", 'b: int = count(where status == "approved") over 1d']
    )
    step = 7
    for at in range(0, len(text) - step, step):
        for broken in (text[:at] + text[at + step :], text[:at] + " } " + text[at:]):
            compiled(broken)


def test_templates_that_multiply_without_end() -> None:
    loops = "".join(f"for x{n} in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] {{ " for n in range(30))
    empty = features([f"{loops} {'}' * 30}"])
    assert {"AFS0219", "AFS0220"} <= set(compiled(empty)[1])
    columns = f"view v for User {{ {loops} user_id as a {'}' * 30} }}"
    assert "AFS0220" in compiled(features(["f: int = 1"]) + columns)[1]


def test_thousands_of_typos_do_not_all_get_a_suggestion() -> None:
    found = compiled(features([f"f{n}: int = nope{n}" for n in range(3_000)]))[1]
    assert len(found) == 3_000


def test_a_number_of_many_digits() -> None:
    assert compiled(features([f"f: int = {'1' * 200_000}"]))[1] == ["AFS0120"]


def test_a_list_of_many_values() -> None:
    values = ", ".join(["1"] * 1_001)
    found = compiled(features([f"f: bool = 1 in [{values}]"]))[1]
    assert found == ["AFS0318"]
