"""Corrections by a user's own nnInteractive server: edits become its prompts, its answer becomes a mask."""
