"""What single values mean, in plain exact Python: ranges, rounding, zones, text. Everything builds
on it.
"""
