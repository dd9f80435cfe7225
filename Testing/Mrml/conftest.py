"""A booted scene for every test in this folder; it is empty when a test starts."""

import pytest
from slicer_host import scene as host_scene
from slicer_host import vtk_messages

host_scene.boot()  # before the tests' modules are imported: they say `import slicer`


@pytest.fixture(autouse=True)
def scene():
    """The scene; anything that VTK reported as an error or a warning fails the test."""
    import slicer

    host_scene.clear()
    vtk_messages.take()
    yield slicer.mrmlScene
    host_scene.clear()
    assert vtk_messages.take() == []


@pytest.fixture
def vtk_reports():
    """Call it to take what VTK has reported so far, in a test where a report is meant."""
    return vtk_messages.take
