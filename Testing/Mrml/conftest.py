"""Fixtures: a MRML scene for every test in this folder, empty when a test starts."""

import pytest
from slicer_host import scene as host_scene
from slicer_host import vtk_messages

host_scene.boot()  # before the test modules are imported, since they import slicer


@pytest.fixture(autouse=True)
def scene():
    """Empty MRML scene; the test fails if VTK reports an error or a warning."""
    import slicer

    host_scene.clear()
    vtk_messages.take()
    yield slicer.mrmlScene
    host_scene.clear()
    assert vtk_messages.take() == []


@pytest.fixture
def vtk_reports():
    """Function that returns and clears VTK's reports so far, for tests that expect one."""
    return vtk_messages.take
