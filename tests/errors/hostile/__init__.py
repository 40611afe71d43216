"""Projects that somebody would write to break the compiler, or what runs it."""
