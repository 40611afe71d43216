"""The parity harness.

Generated programs on which the reference and DuckDB must agree to the last bit.
"""
