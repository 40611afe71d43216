"""Serving: the plan as a program over kept rows, the stores that keep them, the server."""
