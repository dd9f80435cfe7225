"""DICOM images: from files on disk to a volume, and what later objects refer back to."""
