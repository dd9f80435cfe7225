"""Weights of models: fetched, checked, kept and loaded."""
