"""The part of the panel where segments are corrected: the strip of the Segment Editor, and the preview."""
