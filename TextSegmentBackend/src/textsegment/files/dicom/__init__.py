"""DICOM images: reading into volumes, and the references that later objects need."""
