"""The network in training: how it begins, what learns, and what is exported."""
