"""Benchmarks: scripts that print ratios against an alternative measured in the same run."""
