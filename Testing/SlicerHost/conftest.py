"""The host, booted once; every test begins with an empty scene and ends without errors of VTK or in slots."""

import pytest

from slicer_host import driver, host, scene, vtk_messages

host.boot()  # before the tests' modules are imported: they say `import qt` and `import slicer`
driver.watch_exceptions()


@pytest.fixture(autouse=True)
def clean_scene():
    scene.clear()
    driver.run_events(0)
    vtk_messages.take()
    driver.take_exceptions()
    yield
    scene.clear()
    driver.run_events(0)
    assert driver.take_exceptions() == []
    assert vtk_messages.take() == []
