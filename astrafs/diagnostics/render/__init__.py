"""Diagnostics as text: one module per format, each a pure function of (diagnostics, files)."""
