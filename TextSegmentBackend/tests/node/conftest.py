import pytest
from archive import Archive, free_port, has_archive

# Threads of the node and of its libraries: catch_warnings of pydicom is not made for them.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """A step that failed is repeated soon, so that tests of full disks need not wait."""
    monkeypatch.setattr("textsegment.node.node._PAUSE_S", 0.2)


@pytest.fixture(scope="session")
def node_port():
    return free_port()


@pytest.fixture(scope="session")
def shared_archive(node_port):
    if not has_archive():
        pytest.skip("needs orthanc, orthanc-dicomweb and dcmtk: see Testing/system_packages.sh")
    archive = Archive(node_port)
    yield archive
    archive.close()


@pytest.fixture
def archive(shared_archive):
    """The one archive of this run, empty."""
    yield shared_archive
    shared_archive.clear()
