"""Export of segments to DICOM: RT structure sets and segmentations."""
