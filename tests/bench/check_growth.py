"""How the time of a check grows when one thing doubles, as a Markdown table.

Run ``python -m tests.bench.check_growth [--runs N] [--only NAME]``. For each kind of growth a
project is written at three sizes, each twice the one before. *Check* is the median processor time
of the passes inside a process that has loaded the compiler; *process* that of ``astrafs check
--no-cache`` from its start to its end. (Wall time on a machine with other work is no measure.)
*Calls* counts the function calls of one check, which no other work on the machine can change.
*Growth* is the larger of the two steps; above 2.4 it is marked.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

from tests.bench.check_scale import SHARED, module_text
from tests.bench.measure import ASTRAFS, emit, parse, run, script

ALLOWED = 2.4

HEAD = """owner "bench@acme.test"

## A user.
entity User { user_id: int }

## Rows.
source rows from parquet("rows.parquet") key id time at {
  id:      int
  user_id: User
  amount:  float
  at:      timestamp
}
"""

Texts = Mapping[str, str]


def features(size: int) -> Texts:
    """``size`` features in modules of 25."""
    texts = {f"m{number}.afs": module_text(number, 25) for number in range(size // 25)}
    return {"shared.afs": SHARED, **texts}


def one_file(size: int) -> Texts:
    """``size`` lines in one file."""
    lines = [HEAD, "features for User from rows {"]
    for number in range(size // 4):
        lines += [f"  ## Number {number}.", f"  f{number}: float? =", "    mean(amount)"]
        lines.append(f"      over {number % 80 + 1}d")
    return {"one.afs": "\n".join([*lines, "}", ""])}


def feature_chain(size: int) -> Texts:
    """``size`` features, each made of the one before."""
    lines = [HEAD, "features for User from rows {", "  ## First.", "  f0: int = count() over 7d"]
    for number in range(1, size):
        lines += [f"  ## Number {number}.", f"  f{number}: int = f{number - 1} + 1"]
    return {"one.afs": "\n".join([*lines, "}", ""])}


def stream_chain(size: int) -> Texts:
    """``size`` streams, each from the one before and with a column of its own."""
    lines = [HEAD]
    for number in range(size):
        base = f"s{number - 1}" if number else "rows"
        value = f"c{number - 1} + 1.0" if number else "amount"
        lines += [
            f"## Number {number}.",
            f"stream s{number} from {base} where amount > {number}.5 {{",
        ]
        lines += [f"  c{number}: float = {value}", "}", ""]
    last = size - 1
    lines += [f"features for User from s{last} {{", "  ## The end of it."]
    return {"one.afs": "\n".join([*lines, f"  f: float? = max(c{last}) over 7d", "}", ""])}


def lookup_chain(size: int) -> Texts:
    """``size`` times a feature of the rows' users as of each row, aggregated into the next."""
    lines = [
        HEAD,
        "features for User from rows {",
        "  ## First.",
        "  f0: int = count() over 1h",
        "}",
    ]
    for number in range(1, size):
        lines += ["## A step.", f"stream s{number} from rows {{"]
        lines += [f"  v{number}: int? = User[user_id].f{number - 1}", "}"]
        lines += [f"features for User from s{number} {{", "  ## A step.", f"  f{number}: int? ="]
        lines += [f"    max(v{number}) over 1h", "}"]
    return {"one.afs": "\n".join([*lines, ""])}


def sum_terms(size: int) -> Texts:
    """One feature that adds ``size`` terms."""
    terms = [f"(count() over {number % 80 + 1}d)" for number in range(size)]
    value = "\n    + ".join(terms)
    text = f"{HEAD}features for User from rows {{\n  ## A sum.\n  f: int =\n    {value}\n}}\n"
    return {"one.afs": text}


def templates(size: int) -> Texts:
    """One template that makes ``size`` features, 25 values inside others."""
    outer = ", ".join(f"{number + 1}" for number in range(size // 25))
    inner = ", ".join(f"{number + 1}d" for number in range(25))
    body = "      ## Over {w}.\n      f_{n}_{w}: float? = mean(amount * float(n)) over w\n"
    loops = f"  for n in [{outer}] {{\n    for w in [{inner}] {{\n{body}    }}\n  }}\n"
    return {"one.afs": f"{HEAD}features for User from rows {{\n{loops}}}\n"}


def modules(size: int) -> Texts:
    """``size`` modules, each of which imports from the one before."""
    texts = {
        "m0.afs": HEAD + "features for User from rows {\n  ## F.\n  f0: int = count() over 1d\n}\n"
    }
    for number in range(1, size):
        before = number - 1
        texts[f"m{number}.afs"] = (
            f'use m0.{{User}}\nuse m{before}.{{f{before}}}\nowner "x@acme.test"\n'
            f"features for User {{\n  ## F.\n  f{number}: int = f{before} + 1\n}}\n"
        )
    return texts


KINDS: Mapping[str, tuple[Callable[[int], Texts], int]] = {
    "features, in modules of 25": (features, 500),
    "lines of one file": (one_file, 2_000),
    "features in a chain": (feature_chain, 250),
    "streams in a chain": (stream_chain, 100),
    "lookups in a chain": (lookup_chain, 100),
    "terms of one sum": (sum_terms, 60),
    "features of a template": (templates, 500),
    "modules in a chain": (modules, 100),
}
"""What is written, and the first of the three sizes."""


def write(folder: Path, texts: Texts) -> None:
    """Write the files of a project."""
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def child(folder: Path, runs: int) -> None:
    """Time the passes over the project in ``folder``, after one round that counts calls."""
    from astrafs.diagnostics.model import Sink
    from astrafs.driver import compile_project
    from astrafs.workspace import read_files

    files = read_files(folder.resolve(), Sink())
    counter = cProfile.Profile()
    counter.runcall(compile_project, files, Sink())
    times = []
    gc.disable()
    for _ in range(runs):
        sink = Sink()
        before = time.process_time()
        compile_project(files, sink)
        times.append(time.process_time() - before)
        if sink.has_errors:
            raise RuntimeError(next(iter(sink)).title)
        gc.collect()
    calls = pstats.Stats(counter).total_calls  # type: ignore[attr-defined]
    emit(seconds=statistics.median(times), calls=calls)


def line(name: str, runs: int) -> str:
    """Measure one kind of growth; return its row."""
    make, first = KINDS[name]
    sizes = (first, 2 * first, 4 * first)
    inside, whole, calls = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            root = Path(folder) / str(size)
            write(root, make(size))
            timed = run(
                script("tests.bench.check_growth", "--child", str(root), "--runs", str(runs))
            )
            inside.append(parse(timed)["seconds"])
            calls.append(parse(timed)["calls"])
            command = (*ASTRAFS, "check", "--no-cache", str(root))
            whole.append(statistics.median(run(command).processor for _ in range(runs)))
    cells = [name, " / ".join(f"{size:,}" for size in sizes)]
    for numbers, scale in ((inside, 1_000), (whole, 1_000), (calls, 0.001)):
        growth = max(later / earlier for earlier, later in pairwise(numbers))
        mark = "" if growth <= ALLOWED else " **too much**"
        cells += [" / ".join(f"{scale * one:,.0f}" for one in numbers), f"{growth:.2f}{mark}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of the name of what grows")
    parser.add_argument("--child", type=Path)
    asked = parser.parse_args()
    if asked.child is not None:
        child(asked.child, asked.runs)
        return
    sys.stdout.write(
        "| doubled | sizes | check, ms | growth | process, ms | growth | calls/1000 | growth |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|---|---|\n")
    for name in KINDS:
        if asked.only in name:
            sys.stdout.write(f"{line(name, asked.runs)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
