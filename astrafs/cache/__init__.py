"""What ``check`` remembers of each module from one run to the next; see ``incremental``."""
