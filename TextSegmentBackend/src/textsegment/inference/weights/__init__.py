"""Weights of models: downloading, verifying, storing and loading them."""
