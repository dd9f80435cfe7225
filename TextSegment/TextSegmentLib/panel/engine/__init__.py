"""The engine section of the panel."""
