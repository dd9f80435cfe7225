"""The dialog that writes DICOM objects."""
