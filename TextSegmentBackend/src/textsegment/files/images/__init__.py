"""Image files: NIfTI, NRRD, MetaImage and 3D Slicer's segmentation files."""
