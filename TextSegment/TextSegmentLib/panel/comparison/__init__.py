"""The dialog that compares two segmentations."""
