"""The scalar builtins, one row each, by group."""
