"""Every kernel by the name that SQL calls it by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from astrafs.kernels.estimates import KERNELS as ESTIMATE_KERNELS
from astrafs.kernels.exact import EXACT_KERNELS
from astrafs.kernels.kernel import Kernel
from astrafs.kernels.nested import NESTED_KERNELS
from astrafs.kernels.powers import KERNELS as POWER_KERNELS
from astrafs.kernels.scalar import KERNELS as SCALAR_KERNELS

KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {
        **EXACT_KERNELS,
        **SCALAR_KERNELS,
        **NESTED_KERNELS,
        **ESTIMATE_KERNELS,
        **POWER_KERNELS,
    }
)
