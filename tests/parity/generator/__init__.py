"""The generator of programs and data: a pure function of a seed."""

from tests.parity.generator.program import build, generate

__all__ = ["build", "generate"]
