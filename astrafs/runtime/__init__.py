"""Running a compiled program over files: a locked engine session, contracts, spines, results and
manifests.
"""
