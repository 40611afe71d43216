"""The cache of ``check``: what it saves, what it survives, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import random
import sys
from pathlib import Path

import pytest

from astrafs.cache import incremental, store
from astrafs.cache.examine import Examined, examine
from astrafs.cache.incremental import check_files
from astrafs.cache.records import diagnostic_of, found_of
from astrafs.cache.store import Store
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.examples import example_files
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile

SHARED = """owner "x@acme.test"

## A user.
entity User { user_id: int }

## Rows.
source rows from parquet("r.parquet") key id time at {
  id:      int
  user_id: User
  at:      timestamp
}
"""
MODULE = """use shared.{{User, rows}}
owner "x@acme.test"

features for User from rows {{
  ## Rows of module {0}.
  n{0}: int = count() over 7d
}}
"""
READER = """use shared.{User, rows}
use m1.{n1}
owner "x@acme.test"

## Rows with what was known.
stream seen from rows {
  past: int? = User[user_id].n2
}

features for User {
  ## One more.
  more: int = n1 + 1
}
"""


def project() -> dict[str, str]:
    """Return ten modules: most read ``shared`` only, ``reader`` reads ``m1`` and ``m2`` as well."""
    texts = {f"m{number}.afs": MODULE.format(number) for number in range(8)}
    return {**texts, "shared.afs": SHARED, "reader.afs": READER}


class Checker:
    """Checks a project again and again, and notes which modules are compiled."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.compiled: list[set[str]] = []

        def noted(files: dict[str, SourceFile], *rest: object) -> Examined:
            self.compiled.append(set(files))
            return examine(files, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr("astrafs.cache.examine.examine", noted)

    def check(self, texts: dict[str, str]) -> list[Diagnostic]:
        """Return what a check finds, which is what a check without the cache finds."""
        files = [SourceFile(path, text) for path, text in texts.items()]
        self.compiled.clear()
        sink, whole = Sink(), Sink()
        check_files(files, sink, Store(self.root))
        compile_project(files, whole)
        assert list(sink) == list(whole)
        return list(sink)


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    return Checker(tmp_path, monkeypatch)


def test_only_what_changed_is_compiled(checker: Checker) -> None:
    texts = project()
    assert checker.check(texts) == []
    assert checker.compiled == [{name.removesuffix(".afs") for name in texts}]
    assert checker.check(texts) == []
    assert checker.compiled == []
    texts["m5.afs"] = texts["m5.afs"].replace("7d", "8d")
    assert checker.check(texts) == []
    assert checker.compiled == [{"m5", "shared"}]


def test_readers_are_compiled_where_they_see_a_change(checker: Checker) -> None:
    texts = project()
    checker.check(texts)
    texts["m1.afs"] = texts["m1.afs"].replace("Rows of", "All rows of")
    assert checker.check(texts) == []
    assert checker.compiled == [{"m1", "shared"}], "a description is nothing to them"
    texts["m1.afs"] = texts["m1.afs"].replace("7d", "9d")
    assert checker.check(texts) == []
    assert checker.compiled[-1] == {"m1", "m2", "shared", "reader"}, "a footprint is"
    texts["m2.afs"] = (
        texts["m2.afs"].replace("n2: int", "n2: float").replace("count()", "mean(1.0)")
    )
    assert [found.code.id for found in checker.check(texts)] != []
    assert {"m2", "reader"} <= set().union(*checker.compiled)


def test_a_remark_in_what_all_use_compiles_no_user(checker: Checker) -> None:
    texts = project()
    checker.check(texts)
    texts["shared.afs"] += "# the end\n"
    assert checker.check(texts) == []
    assert checker.compiled == [{"shared"}]
    texts["shared.afs"] = texts["shared.afs"].replace("user_id: User", "user_id: User?")
    checker.check(texts)
    assert set().union(*checker.compiled) == {name.removesuffix(".afs") for name in texts}


def test_an_error_in_one_module_and_its_mending(checker: Checker) -> None:
    texts = project()
    checker.check(texts)
    good = texts["m5.afs"]
    texts["m5.afs"] = good.replace("n5: int", "n5: string")
    assert [found.is_error for found in checker.check(texts)] == [True]
    assert checker.compiled == [{"m5", "shared"}]
    texts["m6.afs"] = texts["m6.afs"].replace("7d", "8d")
    assert len(checker.check(texts)) == 1
    assert checker.compiled == [{"m6", "shared"}], "the error is remembered"
    texts["m5.afs"] = good
    assert checker.check(texts) == []
    assert checker.compiled == [{"m5", "shared"}]


def test_a_name_that_is_nowhere(checker: Checker) -> None:
    texts = project()
    checker.check(texts)
    texts["m5.afs"] = texts["m5.afs"].replace("count()", "count(where nothing > 1)")
    assert [found.code.id for found in checker.check(texts)] == ["AFS0201"]
    assert checker.compiled == [{"m5", "shared"}]
    texts["m6.afs"] += "# nothing\n"
    assert len(checker.check(texts)) == 1
    assert len(checker.compiled) == 2, "the word stands elsewhere now, so all is compared"
    texts["m6.afs"] = MODULE.format(6) + "wrong"
    checker.check(texts)
    assert len(checker.compiled) == 2, "a damaged file may declare it"


def test_a_feature_declared_twice_and_modules_that_come_and_go(checker: Checker) -> None:
    texts = project()
    checker.check(texts)
    texts["twin.afs"] = MODULE.format(5)
    assert [found.code.id for found in checker.check(texts)] == ["AFS0205"]
    del texts["twin.afs"]
    assert checker.check(texts) == []
    del texts["m2.afs"]
    assert {found.code.id for found in checker.check(texts)} == {"AFS0207"}
    texts["m2.afs"] = MODULE.format(2)
    assert checker.check(texts) == []


# --- the file -------------------------------------------------------------------------------------


def cache_file(root: Path) -> Path:
    return root / ".astrafs" / "cache" / "check.json"


def test_what_lies_in_the_project(checker: Checker) -> None:
    checker.check(project())
    names = sorted(path.relative_to(checker.root).as_posix() for path in checker.root.rglob("*"))
    assert names == [
        ".astrafs",
        ".astrafs/cache",
        ".astrafs/cache/.gitignore",
        ".astrafs/cache/check.json",
    ]
    assert (checker.root / ".astrafs" / "cache" / ".gitignore").read_text().endswith("\n*\n")
    document = json.loads(cache_file(checker.root).read_bytes().partition(b"\n")[2])
    assert sorted(document["records"]) == sorted(project())


def test_any_damage_is_passed_over(checker: Checker) -> None:
    texts = project()
    checker.check(texts)
    whole = cache_file(checker.root).read_bytes()
    chance = random.Random(7)
    for _ in range(15):
        at = chance.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[at] ^= 1 << chance.randrange(8)
        for data in (bytes(damaged), whole[:at]):
            cache_file(checker.root).write_bytes(data)
            assert checker.check(texts) == []
            assert checker.compiled == [{name.removesuffix(".afs") for name in texts}]
            assert cache_file(checker.root).read_bytes() == whole


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"compiler":1}', b"null", b"[" * 100_000])
def test_a_file_that_somebody_else_wrote(body: bytes, checker: Checker) -> None:
    checker.check(project())
    cache_file(checker.root).write_bytes(store.digest(body).encode() + b"\n" + body)
    assert checker.check(project()) == []


def test_records_of_the_wrong_shape(checker: Checker) -> None:
    checker.check(project())
    document = json.loads(cache_file(checker.root).read_bytes().partition(b"\n")[2])
    for wrong in (None, 7, [], ["m1"] * 14, {"text": 1}):
        document["records"]["m1.afs"] = wrong
        body = json.dumps(document).encode()
        cache_file(checker.root).write_bytes(store.digest(body).encode() + b"\n" + body)
        assert checker.check(project()) == []


def test_another_compiler_starts_anew(checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    checker.check(project())
    monkeypatch.setattr(store, "compiler", lambda: "another")
    checker.check(project())
    assert len(checker.compiled) == 1
    checker.check(project())
    assert checker.compiled == []


def test_the_compilers_name_follows_its_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "astrafs").mkdir()
    module = tmp_path / "astrafs" / "rules.py"
    module.write_text("A = 1\n")
    monkeypatch.setattr(store, "_PACKAGE", tmp_path / "astrafs")
    before = store.compiler()
    assert store.compiler() == before
    module.write_text("A = 12\n")
    assert store.compiler() != before


@pytest.mark.parametrize("linked", [".astrafs", ".astrafs/cache", ".astrafs/cache/check.json"])
def test_links_are_not_followed(
    linked: str, checker: Checker, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    place = checker.root / linked
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(elsewhere / "target" if linked.endswith("json") else elsewhere)
    assert checker.check(project()) == []
    assert list(elsewhere.iterdir()) == []


def test_a_place_that_cannot_be_written(checker: Checker) -> None:
    (checker.root / ".astrafs").write_text("a file, not a directory")
    assert checker.check(project()) == []


def test_leavings_of_killed_processes_are_swept(checker: Checker) -> None:
    checker.check(project())
    folder = cache_file(checker.root).parent
    for name, age in (("check.json.1.tmp", 10_000), ("check.json.2.tmp", 0)):
        (folder / name).write_text("half")
        then = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (then, then))
    checker.check({**project(), "m9.afs": MODULE.format(9)})
    names = sorted(path.name for path in folder.iterdir())
    assert names == [".gitignore", "check.json", "check.json.2.tmp"]


def test_a_file_that_grows_too_large_is_not_kept(
    checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 100)
    assert checker.check(project()) == []
    assert not cache_file(checker.root).exists()


def _check_often(root: str, seed: int) -> bool:
    chance = random.Random(seed)
    for _ in range(15):
        texts = project()
        path = chance.choice(sorted(texts))
        texts[path] += chance.choice(["# a remark\n", "wrong\n", ""])
        files = [SourceFile(path, text) for path, text in texts.items()]
        sink, whole = Sink(), Sink()
        check_files(files, sink, Store(Path(root)))
        compile_project(files, whole)
        if list(sink) != list(whole):
            return False
    return True


def test_processes_side_by_side(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert (
            pool.starmap(_check_often, [(str(tmp_path), seed) for seed in range(3)]) == [True] * 3
        )
    names = sorted(path.name for path in cache_file(tmp_path).parent.iterdir())
    assert names == [".gitignore", "check.json"]


# --- diagnostics ----------------------------------------------------------------------------------


def test_every_diagnostic_comes_back_as_it_was() -> None:
    kinds = set()
    for code in ALL.values():
        sink = Sink()
        if code.bad:
            compile_project(example_files(code.bad), sink)
        for found in sink:
            kinds.add(found.code.id)
            stored = json.loads(json.dumps(dataclasses.asdict(found_of(found))))["data"]
            again = dataclasses.replace(found_of(found), data=stored)
            assert diagnostic_of(again, ALL) == found
    assert len(kinds) > 60


def test_limits_are_those_of_the_passes() -> None:
    from astrafs.leakage.facts import Facts
    from astrafs.resolve import expand, repeats

    pictures = next(one for one in dataclasses.fields(Facts) if one.name == "pictures")
    assert pictures.default == incremental.MOST_PROBLEMS
    assert (incremental.MOST_FEATURES, incremental.MOST_REPEATS) == (
        expand.MAX_FEATURES,
        repeats.MAX_REPEATS,
    )


def test_nothing_of_the_compiler_is_loaded_where_nothing_changed(tmp_path: Path) -> None:
    import subprocess

    for path, text in project().items():
        (tmp_path / path).write_text(text)
    program = (
        "import sys\nfrom astrafs.cli.running import main\n"
        f"try:\n    main(['check', {str(tmp_path)!r}])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'typer', 'lark', 'astrafs.driver', 'astrafs.diagnostics.codes.types'}"
        " & sys.modules.keys()))"
    )
    for loaded in ("['astrafs.diagnostics.codes.types', 'astrafs.driver']", "[]"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])},
            capture_output=True,
            check=True,
            text=True,
        )
        assert done.stdout.splitlines() == ["ok: 10 files, 1 source, 9 features, 0 views", loaded]
