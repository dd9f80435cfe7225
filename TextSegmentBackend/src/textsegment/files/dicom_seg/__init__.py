"""Reading and writing of DICOM segmentations."""
