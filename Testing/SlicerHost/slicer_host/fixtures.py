"""For conftest files: a test begins with an empty scene, and may leave no error of VTK or in a slot."""

import pytest

from slicer_host import driver, host, scene, vtk_messages

host.boot()  # before the tests' modules are imported: they say `import qt` and `import slicer`
driver.watch_exceptions()


@pytest.fixture(autouse=True)
def clean_scene():
    """The scene; what VTK reports, or a slot raises, fails the test."""
    import slicer

    scene.clear()
    driver.run_events(0)
    vtk_messages.take()
    driver.take_exceptions()
    yield slicer.mrmlScene
    scene.clear()
    driver.run_events(0)
    assert driver.take_exceptions() == []
    assert vtk_messages.take() == []
