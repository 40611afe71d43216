"""The hostile projects, each with the codes that it is refused with.

They are made and not stored: most are large, or hold what no editor keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEAD = """\
owner "a@b.test"

entity U { k: int }

## S.
source s from csv("s.csv") key id time at {
  id: int
  u:  U
  x:  float
  n:  string
  at: timestamp
}
"""
MIB = 1 << 20
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
RUNAWAY = 30.0
"""Seconds of the processor that nothing comes near unless it grows out of hand; a slow or busy
machine takes several times what an idle one does (one second, for most)."""
UNSEEN = "\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u200c\u200d\u2060\u2064\u3164\ufeff\uffa0"


@dataclass(frozen=True, slots=True)
class Case:
    """``files`` by path; ``codes`` are all that is reported. ``seconds`` are of the processor."""

    name: str
    files: dict[str, bytes]
    codes: frozenset[str]
    seconds: float = RUNAWAY
    megabytes: int = 300


def one(name: str, text: str, *codes: str, seconds: float = RUNAWAY, megabytes: int = 300) -> Case:
    """Return a case of one file."""
    data = text.encode("utf-8", "surrogatepass")
    return Case(name, {"a.afs": data}, frozenset(codes), seconds, megabytes)


def feature(value: str, type_: str = "int") -> str:
    """Return a program whose only feature is ``value``."""
    return f"{HEAD}\nfeatures for U from s {{\n  ## F.\n  f: {type_} = {value}\n}}\n"


def column(type_: str) -> str:
    """Return a program with a column of ``type_``."""
    return HEAD.replace("n:  string", f"n:  {type_}")


def nesting() -> Iterator[Case]:
    """Brackets, operators and other things that grow a tree."""
    yield one("64 levels are allowed", feature("(" * 63 + "1" + ")" * 63))
    for opening, closing, name in (
        ("(", ")", "parentheses"),
        ("[", "]", "lists"),
        ("abs(", ")", "calls"),
        ("s[", "]", "lookups"),
    ):
        for depth in (66, 100_000):
            text = feature(opening * depth + "1" + closing * depth)
            yield one(f"{depth} nested {name}", text, "AFS0112")
    yield one("nested types", column("list[" * 70 + "int" + "]" * 70), "AFS0112")
    yield one("nested blocks", HEAD + "features for U from s {\n" + "for w in [1d] {\n" * 70
              + "## F.\nf: int = 1" + "}" * 71, "AFS0112", "AFS0205")  # fmt: skip
    yield one("256 operators are allowed", feature("1" + " + 1" * 255))
    for sign in ("+ 1", "- 1", "* 1", "// 1"):
        yield one(f"257 times {sign}", feature("1" + f" {sign}" * 257), "AFS0113")
    yield one("200,000 terms", feature("1" + " + 1" * 200_000), "AFS0113")
    yield one("257 times and", feature("true" + " and true" * 257, "bool"), "AFS0113")
    yield one("257 minus signs", feature("- " * 257 + "1"), "AFS0113")
    yield one("257 times not", feature("not " * 257 + "true", "bool"), "AFS0113")
    yield one("257 times if", feature("if true then 1 else " * 257 + "1"), "AFS0113")
    yield one("200,000 members", feature("a" + ".b" * 200_000), "AFS0113")
    for sign in "({[":
        yield one(f"250,000 {sign} that stay open", f"const c = {sign * 250_000}", "AFS0103")
    for sign in ")}]":
        yield one(f"250,000 {sign} that close nothing", HEAD + sign * 250_000, "AFS0104")


def literals() -> Iterator[Case]:
    """Texts and numbers without measure."""
    big = "x" * 900_000
    yield one("a text of 900 kB", f'{HEAD}\nconst c = "{big}"\n', megabytes=60)
    escaped = "\\n" * 450_000
    yield one("450,000 escapes", f'{HEAD}\nconst c = "{escaped}"\n')
    wrong = "\\q" * 450_000
    yield one("450,000 wrong escapes", f'{HEAD}\nconst c = "{wrong}"\n', "AFS0106")
    yield one("a text of 900 kB without an end", f'{HEAD}\nconst c = "{big}', "AFS0105")
    yield one("250,000 quotes", HEAD + '"' * 250_000, "AFS0101")
    yield one("an int of 900 kB", HEAD + f"const c = {'9' * 900_000}", "AFS0120")
    yield one("a fraction of 900 kB", HEAD + f"const c = 0.{'9' * 900_000}", "AFS0120")
    yield one("an int of 65 bits", HEAD + "const c = 9223372036854775809", "AFS0119")
    yield one("an int of 64 bits, above", HEAD + "const c = 9223372036854775808", "AFS0119")
    yield one("an exponent beyond any float", HEAD + "const c = 1e999999999", "AFS0120")
    yield one("a duration beyond time", HEAD + "window w = 99999999999w", "AFS0122")
    yield one("a duration longer than time", feature("count() over 220000d"), "AFS0409")
    yield one("the year 1677", HEAD + "const c = 1677-12-31T23:59:59Z", "AFS0124")
    yield one("the year 2262", HEAD + "const c = 2262-01-01T00:00:00Z", "AFS0124")
    yield one("a year beyond by its offset", HEAD + "const c = 2261-12-31T23:59:59-01:00",
              "AFS0124")  # fmt: skip
    yield one("no such day", HEAD + "const c = 2026-02-30", "AFS0123")
    yield one("a second of no clock", HEAD + "const c = 2026-01-01T23:59:60Z", "AFS0123")
    yield one("a decimal of 39 digits", column("decimal(39, 2)"), "AFS0307")
    yield one("a decimal with a size beyond all", column(f"decimal({'9' * 18}, 2)"), "AFS0307")
    values = ", ".join(f'"v{n}"' for n in range(60_000))
    yield one("an enum of 60,000 values", column(f"enum({values})"), "AFS0307", seconds=2 * RUNAWAY)
    yield one("a list of 60,000 texts", feature(f"count(where n in [{values}]) over 1d"), "AFS0318",
              seconds=2 * RUNAWAY)  # fmt: skip


def characters() -> Iterator[Case]:
    """Bytes that are no text, and characters that hide or reorder what is read."""
    head = HEAD.encode()
    for name, data in (
        ("a lone byte", b"\xff"),
        ("a cut character", "\u6f22".encode()[:2]),
        ("an overlong slash", b"\xc0\xaf"),
        ("half of a pair", b"\xed\xa0\x80"),
        ("beyond Unicode", b"\xf5\x80\x80\x80"),
    ):
        yield Case(f"UTF-8: {name}", {"a.afs": head + b'const c = "' + data + b'"\n'},
                   frozenset(["AFS0110"]))  # fmt: skip
    yield Case("UTF-16", {"a.afs": HEAD.encode("utf-16")}, frozenset(["AFS0110"]))
    yield Case("random bytes", {"a.afs": bytes(range(256)) * 2_000}, frozenset(["AFS0110"]))
    yield one("a byte order mark is allowed in front", "\ufeff" + HEAD)
    yield one("a byte order mark elsewhere", HEAD + "const c = \ufeff1", "AFS0109")
    yield one("NUL", HEAD + "const c = 1\x00", "AFS0109")
    yield one("NUL in a text", HEAD + 'const c = "a\x00b"', "AFS0109")
    yield one("a terminal's escape", HEAD + 'const c = "\x1b[2J"', "AFS0109")
    yield one("a lone carriage return", HEAD + "# harmless\rconst c = 1\n", "AFS0109")
    for sign in BIDI + UNSEEN:
        point = f"U+{ord(sign):04X}"
        yield one(f"{point} in a text", HEAD + f'const c = "a{sign}b"', "AFS0109")
        yield one(f"{point} in a comment", HEAD + f"# a{sign}b\n", "AFS0109")
        yield one(f"{point} between words", HEAD + f"const{sign} c = 1", "AFS0109")
    yield one("U+202E in a description", HEAD.replace("## S.", "## S\u202e."), "AFS0109")
    yield one("U+202E in a path", HEAD.replace("s.csv", "s\u202e.csv"), "AFS0109")
    yield one("U+202E in back-quotes", HEAD.replace("n: ", "`n\u202e`: "), "AFS0109")
    yield one("tags of a flag", HEAD + "# \U000e0041\U000e007f", "AFS0109")
    yield one("a Cyrillic letter in a name", HEAD.replace("x: ", "\u0445: "), "AFS0101", "AFS0108")
    yield one("full-width digits", HEAD + "const c = \uff11", "AFS0108")


def names() -> Iterator[Case]:
    """Names that are too long, or not names."""
    long = "a" * 49
    yield one("a name of 48 letters is allowed", HEAD + f"const {'a' * 48} = 1")
    yield one("a column of 49 letters", HEAD.replace("x: ", f"{long}: "), "AFS0114")
    yield one("a constant of 900 kB", HEAD + f"const {'a' * 900_000} = 1", "AFS0114")
    yield one("an entity of 49 letters", f"entity A{'a' * 48} {{ k: int }}", "AFS0114")
    yield one("a feature of 49 letters", feature("1").replace("f: ", f"{long}: "), "AFS0114")
    yield one("a template of 49 letters", feature("1").replace("## F.\n  f: int = 1",
              f"for w in [1d] {{\n## F.\n{'a' * 46}_{{w}}: int = count() over w\n}}"),
              "AFS0218")  # fmt: skip
    for text in ("a; drop table s", 'a"', "a b", "../a", "a\\n", "A", "", "$(id)", "{w}", "a--b"):
        codes = ("AFS0117",)
        yield one(f"back-quotes around {text!r}", HEAD.replace("n: ", f"`{text}`: "), *codes)
    yield one("SQL as a path", HEAD.replace("s.csv", "'); DROP TABLE s; --"))
    yield one("SQL as a value", feature('count(where n == "\' OR 1=1; --") over 1d'))
    yield one("SQL between declarations", HEAD + "; DROP TABLE s; --", "AFS0133", "AFS0135")
    yield one("a zone that is a path", HEAD.replace("at: timestamp",
              'at: timestamp in "../../etc/passwd"'), "AFS0320")  # fmt: skip
    yield one("a zone that is SQL", feature('hour(t, "UTC\'; DROP TABLE s; --")'), "AFS0304")
    yield one("a format that is a function", HEAD.replace("csv(", "read_text("), "AFS0320")
    yield one("a column from SQL", HEAD.replace("n:  string", 'n:  string from "x\\"; DROP"'))
    yield Case("a path with dots", {"../a.afs": HEAD.encode()}, frozenset(["AFS0222"]))
    yield Case("a path with a space", {"a b.afs": HEAD.encode()}, frozenset(["AFS0222"]))


def cycles() -> Iterator[Case]:
    """Everything that can refer to itself does."""
    yield one("constants", HEAD + "const a = b\nconst b = a\n", "AFS0211")
    chain = "".join(f"const c{n} = c{n + 1}\n" for n in range(2_000))
    yield one("2,000 constants in a row", HEAD + chain + "const c2000 = c0\n", "AFS0211")
    yield one("windows", HEAD + "window a = b\nwindow b = a\n", "AFS0211")
    yield one("functions", HEAD + "fn a(x: int) -> int = b(x)\nfn b(x: int) -> int = a(x)\n",
              "AFS0211")  # fmt: skip
    yield one("a function", HEAD + "fn a(x: int) -> int = a(a(x))\n", "AFS0211")
    yield one("streams", HEAD + "stream a from b\nstream b from a\n", "AFS0211")
    yield one("a stream", HEAD + "stream a from a\n", "AFS0211")
    yield one("features", f"{HEAD}\nfeatures for U {{\n  ## F.\n  f: int = g\n"
              "  ## G.\n  g: int = f\n}\n", "AFS0211")  # fmt: skip
    yield one("a feature through a stream", f"{HEAD}\nstream r from s {{ y: int = U[u].f }}\n"
              "features for U from r {\n  ## F.\n  f: int = sum(y) over 1d\n}\n",
              "AFS0211")  # fmt: skip
    yield Case("modules", {"a.afs": b"use b.{B}\nentity A { b: B }\n",
               "b.afs": b"use a.{A}\nentity B { a: A }\n"}, frozenset(["AFS0211"]))  # fmt: skip
    yield one("a file imports itself", HEAD + "use a.{U}\n", "AFS0202", "AFS0205")
    loop = "".join(f"  ## F.\n  f{n}: int = f{(n + 1) % 3000}\n" for n in range(3_000))
    yield one(
        "3,000 features", f"{HEAD}\nfeatures for U {{\n{loop}}}\n", "AFS0211", seconds=2 * RUNAWAY
    )


def explosions() -> Iterator[Case]:
    """Short texts that mean much, as in a YAML bomb."""
    fns = "fn f0(x: int) -> int = x + x\n" + "".join(
        f"fn f{n}(x: int) -> int = f{n - 1}(x) + f{n - 1}(x)\n" for n in range(1, 40)
    )
    yield one("functions that double", HEAD + fns, "AFS0318")
    consts = "const c0 = 1\n" + "".join(f"const c{n} = c{n - 1} + c{n - 1}\n" for n in range(1, 99))
    yield one("constants that double", HEAD + consts, "AFS0321")
    values = ", ".join(map(str, range(1, 102)))
    yield one("10,201 features", f"{HEAD}\nfeatures for U from s {{\nfor a in [{values}] {{\n"
              f"for b in [{values}] {{\n## F.\nf_{{a}}_{{b}}: int = 1\n}} }} }}\n",
              "AFS0220", seconds=2 * RUNAWAY)  # fmt: skip
    loops = "".join(f"for a{n} in [1, 2, 3, 4, 5, 6, 7, 8] {{\n" for n in range(20))
    yield one("20 loops", f"{HEAD}\nfeatures for U from s {{\n{loops}## F.\nf: int = 1\n{'}' * 21}",
              "AFS0205", "AFS0220", seconds=2 * RUNAWAY)  # fmt: skip
    yield one("20 loops of a view", feature("1") + f"view v for U {{\n{loops}f\n{'}' * 21}",
              "AFS0220", seconds=2 * RUNAWAY)  # fmt: skip
    streams = "stream r0 from s { y: float = x + x }\n" + "".join(
        f"stream r{n} from r{n - 1} {{ y{n}: float = {y} + {y} }}\n"
        for n in range(1, 40)
        for y in [f"y{n - 1}" if n > 1 else "y"]
    )
    yield one("streams in a row read one another and do not grow", HEAD + streams)
    unions = "".join(
        f"stream r{n} from union({a}, {a}b)\nstream r{n}b from r{n}\n"
        for n in range(1, 30)
        for a in [f"r{n - 1}" if n > 1 else "s"]
    )
    yield one(
        "unions that double", HEAD + "stream sb from s\n" + unions, "AFS0220", seconds=2 * RUNAWAY
    )


def sizes() -> Iterator[Case]:
    """Files and projects beyond their limits."""
    fill = "#" * (MIB - len(HEAD))
    yield one("1 MiB is allowed", HEAD + fill, megabytes=60)
    yield one("1 MiB and a byte", HEAD + fill + "#", "AFS0111")
    yield one("1 MiB of newlines and a byte", "\n" * (MIB + 1), "AFS0111")
    yield one("1 MiB in wide characters", "#" + "\u6f22" * (MIB // 3 + 1), "AFS0111")
    many = {f"m{n}.afs": b"unit usd\n" for n in range(2_001)}
    yield Case("2,001 files", many, frozenset(["AFS0220"]))
    few = {f"m{n}.afs": b"unit usd\n" for n in range(2_000)}
    yield Case("2,000 files are allowed", few, frozenset())
    block = "".join(f"  ## F.\n  f{n}: int = 1\n" for n in range(10_001))
    yield one(
        "10,001 features", f"{HEAD}\nfeatures for U {{\n{block}}}\n", "AFS0220", seconds=2 * RUNAWAY
    )
    columns = "".join(f"  c{n}: int\n" for n in range(30_000))
    text = HEAD.replace("  n:  string\n", columns)
    yield one("30,000 columns", text, seconds=2 * RUNAWAY, megabytes=400)
    unknown = "".join(f"  ## F.\n  f{n}: int = zz{n}\n" for n in range(5_000))
    yield one("5,000 unknown names", f"{HEAD}\nfeatures for U {{\n{unknown}}}\n", "AFS0201",
              seconds=2 * RUNAWAY)  # fmt: skip
    yield one("100,000 marks of no meaning", HEAD + "$ " * 100_000, "AFS0108")
    yield one("a text like a slow pattern", HEAD + f"const c = {'a.' * 50_000}!", "AFS0113",
              "AFS0133")  # fmt: skip
    spaced = "x" + " " * 400_000 + ":" + "{a" * 100_000
    yield one("a text like a slow pattern of names", HEAD + spaced, "AFS0103")


def cases() -> Iterator[Case]:
    """Yield every case."""
    for group in (nesting, literals, characters, names, cycles, explosions, sizes):
        yield from group()
