"""Pairs of programs, with the verdict on each feature written by hand before the tool saw them."""
