"""Exact totals of floats over many windows, as digits of 64-bit integers.

Every value is cut into the same few digits: ``x = sum(d[i] * 2**(unit + i * bits))`` with integers
``d``, all of one sign. Digits are so narrow that the sum of those of one entity's rows fits into 63
bits; so running totals may wrap around, and the difference of two is the total of a window. How low
the lowest digit lies depends on the values at hand, but it is never below ``2**-86``, to which sums
round every input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from astrafs.kernels.compensated import Rounded
from astrafs.kernels.double_double import Pair, renew, two_sum
from astrafs.kernels.exact import REST_BITS
from astrafs.record import dataclass

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TOTAL_BITS = 62
_FLOAT_BITS = 53
_WIDEST = 52
_SMALL = 2.0**-30


def on_grid(values: Floats) -> Floats:
    """Return the values as sums take them: the nearest multiples of ``2**-86``."""
    small = np.abs(values) < _SMALL
    if not small.any():
        return values
    return np.where(small, np.rint(values * 2.0**REST_BITS) * 2.0**-REST_BITS, values)


@dataclass(frozen=True, slots=True)
class Digits:
    """Digits of ``bits`` bits in units of ``2**unit``, the lowest first; of values, running totals
    or totals.
    """

    columns: tuple[Ints, ...]
    unit: int
    bits: int

    @property
    def nbytes(self) -> int:
        """The bytes of all digits."""
        return sum(column.nbytes for column in self.columns)

    def proper(self, total: Callable[[Ints], Ints]) -> Digits:
        """Of running totals, return the ``total`` of windows (an array of its own), in proper
        digits: all but the highest are not negative and below ``2**bits``.
        """
        found = [total(column) for column in self.columns]
        for place in range(len(found) - 1):
            found[place + 1] += found[place] >> self.bits
            found[place] &= (1 << self.bits) - 1
        return Digits(tuple(found), self.unit, self.bits)

    def exact(self, place: int) -> int:
        """Return one total, in units of ``2**unit``."""
        total = 0
        for column in reversed(self.columns):
            total = (total << self.bits) + int(column[place])
        return total

    def _parts(self) -> list[Floats]:
        """Return the digits as floats, the highest first."""
        parts = []
        for place, column in enumerate(self.columns):
            parts.append(column.astype(np.float64) * 2.0 ** (self.unit + place * self.bits))
        return parts[::-1]

    def _fits(self) -> npt.NDArray[np.bool_]:
        """Whether the highest digits are floats without loss."""
        found: npt.NDArray[np.bool_] = np.abs(self.columns[-1]) <= 1 << _FLOAT_BITS
        return found

    def rounded(self) -> Rounded:
        """Return the floats nearest to totals, undecided where three digits do not hold them."""
        parts = self._parts()
        if len(parts) == 1:
            return Rounded(parts[0], np.zeros_like(parts[0]), self._fits())
        if len(parts) == 2:
            value, missing = two_sum(parts[0], parts[1])
            return Rounded(value, missing, self._fits())
        (value, missing), fits = self.pair()
        unit = np.spacing(np.abs(value))
        size = np.abs(missing)
        # At half a unit, what the pair leaves out would say where to round.
        near = np.minimum(np.abs(size - unit * 0.5), np.abs(size - unit * 0.25))
        return Rounded(value, missing, fits & ((near > unit * 2.0**-40) | (value == 0)))

    def pair(self) -> tuple[Pair, npt.NDArray[np.bool_]]:
        """Return totals as pairs of floats, right to about one part in ``2**104``, and where they
        are.
        """
        parts = self._parts()
        if len(parts) == 1:
            return (parts[0], np.zeros_like(parts[0])), self._fits()
        high, low = two_sum(parts[0], parts[1])
        rest = np.zeros_like(high)
        for part in parts[2:]:
            low, lost = two_sum(low, part)
            high, low = renew(high, low)
            rest = rest + lost
        return renew(high, low + rest), self._fits()


def running(parts: Sequence[Floats], longest: int, most: int, lowest: int) -> tuple[Digits, bool]:
    """Return running totals of ``sum(parts)``, each one longer than the parts, and whether nothing
    was left out.

    ``parts`` are floats of falling size, each below a unit of the one before. ``longest`` is the
    number of rows of the longest entity; at most ``most`` digits are made, from the highest down,
    and none below ``2**lowest``: what lies lower is rounded, row by row, to the lowest digit.
    """
    bits = min(_WIDEST, _TOTAL_BITS - max(longest, 1).bit_length())
    top = _exponent(float(np.abs(parts[0]).max(initial=0.0)))
    ends = [_lowest_bit(part) for part in parts]
    end = max(lowest, min((one for one in ends if one is not None), default=top))
    count = max(1, -(-(top - end) // bits))
    whole = count <= most
    count = min(count, most)
    unit = end if whole else top - count * bits
    columns: list[Ints] = []
    rest = list(parts)
    for place in reversed(range(count)):
        scale = 2.0 ** -(unit + place * bits)
        digit = np.zeros(len(parts[0]))
        for number, part in enumerate(rest):
            # The lowest takes what is left; a part below it still enters the sum exactly.
            taken = np.trunc(part * scale) if place else np.rint(part * scale)
            rest[number] = part - taken / scale
            digit += taken
        columns.append(_along(digit))
    return Digits(tuple(columns[::-1]), unit, bits), whole


def _along(values: Floats) -> Ints:
    found = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values.astype(np.int64), out=found[1:])
    return found


def _exponent(value: float) -> int:
    """Return the least power of two above ``value``, 0 for 0."""
    return int(np.frexp(value)[1])


def _lowest_bit(values: Floats) -> int | None:
    """Return an exponent below which no value has a bit, None where all are 0."""
    sizes = np.abs(values)
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return None
    return _exponent(float(sizes.min())) - _FLOAT_BITS
