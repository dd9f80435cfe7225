"""A run: what happens in its worker, and what happens to the scene."""
