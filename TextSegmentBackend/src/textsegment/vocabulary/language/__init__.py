"""The rules of language: how a typed text is taken apart."""
