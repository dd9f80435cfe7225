"""The anatomy tree and sets of structures, to pick from."""
