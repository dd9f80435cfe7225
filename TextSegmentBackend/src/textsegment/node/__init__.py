"""The DICOM node: takes series from scanners and archives, segments them by rules, delivers the results."""
