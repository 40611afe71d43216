"""Vectorised functions over Arrow and NumPy columns, where plain SQL has not the same bits everywhere."""
