"""Reading of images and writing of results."""
