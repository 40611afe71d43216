"""Feeding the compiler damaged and random programs: it must answer with diagnostics, and soon."""
