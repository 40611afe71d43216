"""The command line: one module per command, ``app`` joins them, ``console`` is shared."""
