from slicer_host.fixtures import clean_scene

__all__ = ["clean_scene"]
