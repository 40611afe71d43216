"""A program as a graph of what reads what, for DOT, Mermaid, SVG and JSON."""
