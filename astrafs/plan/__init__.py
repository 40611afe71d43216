"""The plan IR and what is done to it: lowering, verification, canonical text, identity, graph."""
