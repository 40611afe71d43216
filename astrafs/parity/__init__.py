"""Whether serving gives what a backfill gives: real history replayed, asked, compared bit for
bit.
"""
