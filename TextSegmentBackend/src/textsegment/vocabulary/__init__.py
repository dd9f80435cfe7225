"""Anatomical vocabulary: structures, terms, and their resolution to prompts."""
