"""One whole random case, from a seed or from choices that something else makes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.parity.generator import (
    datasets,
    features,
    requests,
    sources,
    streams,
    unions,
    views,
)
from tests.parity.generator.builder import Builder, Size
from tests.parity.model import Case


def assemble(b: Builder) -> Case:
    """Make everything and return the case."""
    rng = b.rng
    for _ in range(rng.randint(1, 3)):
        sources.entity(b)
    for _ in range(rng.randint(1, b.size.sources)):
        sources.source(b)
    for _ in range(rng.choice((0, 1, 1, 2))):
        sources.table(b)
    exported = frozenset(piece.name for piece in b.pieces)
    split = b.chance(0.4)
    b.module = "main" if split else "base"
    b.tag("modules.two" if split else "modules.one")
    for _ in range(rng.randint(1, 3)):
        action = rng.choices(
            (features.window_block, streams.stream, features.derived_block, unions.union),
            weights=(10, 6, 2, 3),
        )[0]
        action(b)
    features.window_block(b)
    if b.chance(0.6):
        features.derived_block(b)
    if b.chance(0.3):
        features.family_block(b)
    for entity in b.entities:
        if entity.features:
            views.entity_view(b, entity)
    if b.chance(0.35):
        views.request(b)
    if b.chance(0.35):
        requests.row_request(b)
    if b.chance(0.4):
        datasets.dataset(b)
    as_of = max(b.times) + 1_000 * b.grain
    if b.chance(0.6):
        as_of = rng.choice(b.times) + rng.choice((0, 0, 1, -1, b.grain))
        b.tag("as_of.early")
    case = Case(
        b.seed,
        tuple(b.pieces),
        b.relations,
        b.spines,
        as_of,
        ("base", "main") if split else ("base",),
        frozenset(b.tags),
        b.wild,
        exported,
    )
    return datasets.accepted(case)


def generate(seed: int) -> Case:
    """Return the case of ``seed``: a pure function of the number."""
    rng = Random(seed)
    return build(rng, seed)


def build(rng: Random, seed: int = 0) -> Case:
    """Return the case that the choices of ``rng`` make."""
    roll = rng.random()
    if roll < 0.02:
        size = Size(rng.choice((300, 700)), 70, 2, 1)
    elif roll < 0.07:
        size = Size(90, rng.choice((66, 100)), 3, 2)
    else:
        size = Size(rng.choice((6, 12, 25, 40)), rng.choice((3, 8, 14)), 3)
    case = assemble(Builder(rng, seed, size, wild=rng.random() < 0.04))
    if size.spine > 64:
        case = replace(case, tags=case.tags | {"size.large"})
    return case
