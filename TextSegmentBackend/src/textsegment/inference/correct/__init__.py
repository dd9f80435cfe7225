"""Carries edits of a mask to the rest of the image, with the features of the network."""
