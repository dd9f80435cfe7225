"""Reading and writing of DICOM RT structure sets."""
