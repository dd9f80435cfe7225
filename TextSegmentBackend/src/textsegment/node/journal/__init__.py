"""The journal of a node."""
