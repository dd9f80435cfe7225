import pytest
from command_line import Ended, demo_engine, share_engine, textsegment

DEMO_TEXT = "left lung, right lung, heart, aorta, vertebrae, liver"


@pytest.fixture
def engine(monkeypatch):
    """One engine for all commands of all tests."""
    share_engine(monkeypatch)


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
