"""Vectorised functions over Arrow columns, where plain SQL has not the same bits everywhere."""
