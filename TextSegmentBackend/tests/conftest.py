"""For all tests of the backend."""

import gc
import sys

import pytest
from hypothesis import settings

# The same examples for everybody, and as long as they take on a busy machine.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

LONGEST = (
    "server/engines/test_ray.py",
    "node/*.py",
    "training/test_learning.py",
    "web/*.py",
    "server/engines/test_survival.py",
    "conformance/*.py",
    "server/test_load.py",
    "model/test_golden.py",
    "model/test_slabs.py",
    "server/test_serve_command.py",
    "server/http/test_security.py",
    "cli/test_radiotherapy.py",
    "cli/test_process.py",
)
"""Files that take long: they begin first, so that no process waits for another at the end."""


def pytest_collection_modifyitems(items):
    """Put the longest files first; with ``--no-loadscope-reorder`` xdist gives them out in this order."""
    paths = {item.path for item in items}
    ranks = {path: rank for path in paths for rank, name in enumerate(LONGEST) if path.match(name)}
    items.sort(key=lambda item: ranks.get(item.path, len(LONGEST)))


def pytest_collection_finish():
    """Spare the garbage collector the thousands of tests, which stay until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _runtime_folder(tmp_path_factory):
    """Let servers of tests announce themselves to tests only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


def pytest_sessionfinish():
    """End what all tests of this process have shared."""
    if "ray_server" in sys.modules:
        sys.modules["ray_server"].end_shared_ray()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give out whole files, but all tests on Ray to one process, and all of a folder that share things."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            if "/test_ray.py" in nodeid or "[ray-" in nodeid:
                return "ray"
            shared = (folder for folder in ("node", "web", "conformance") if f"/{folder}/" in f"/{nodeid}")
            return next(shared, super()._split_scope(nodeid))

    return Scheduling(config, log)
