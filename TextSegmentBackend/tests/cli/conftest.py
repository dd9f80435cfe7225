from functools import cached_property

import pytest
from command_line import Ended, demo_engine, share_engine, textsegment
from made_dicom import write_series
from planning_scan import AFFINE, stored

from textsegment.cli.session import Session
from textsegment.testing import FakeSegmenter

DEMO_TEXT = "left lung, right lung, heart, aorta, vertebrae, liver"


@pytest.fixture
def engine(monkeypatch):
    """One engine for all commands of all tests."""
    share_engine(monkeypatch)


@pytest.fixture
def fake_engine(monkeypatch):
    """Balls at known places, so that every output can be compared voxel by voxel."""
    engine = FakeSegmenter()
    monkeypatch.setattr(Session, "segmenter", property(lambda self: engine))
    info = cached_property(lambda self: engine.info())
    info.__set_name__(Session, "info")
    monkeypatch.setattr(Session, "info", info)


@pytest.fixture
def folder(tmp_path):
    """Folder with the DICOM images of a planning CT."""
    write_series(tmp_path / "scan", stored(0), AFFINE)
    return tmp_path / "scan"


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder and the end of one run of ``textsegment demo``: the whole way on a real scan."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        share_engine(patch)
        demo_engine().cache.clear()  # the scan is one of other tests too; here the U-Net shall run
        ended: Ended = textsegment("demo", "-o", folder / "demo-output")
    return folder / "demo-output", ended
