"""Export of segments as DICOM objects."""
