"""The DuckDB backend: plans become scripts of plain SQL steps. Start at ``compile.py``."""
