"""Image files: NIfTI, NRRD, MetaImage, FreeSurfer's MGH, and segmentation files of 3D Slicer."""
