"""The section of the panel about the engine."""
