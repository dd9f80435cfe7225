"""Accepted cases for training: collected in a folder that the user chooses, and nowhere else."""
