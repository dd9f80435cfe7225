"""Every kind of segmenter: here, in another process, behind a network.

``pytest tests/conformance -k remote`` runs the tests of one kind.
"""

import importlib.util

import pytest
from contestants import CONTESTANTS

WITHOUT_RAY = importlib.util.find_spec("ray") is None


MARKS = {"ray": [pytest.mark.slow, pytest.mark.skipif(WITHOUT_RAY, reason="Ray is not installed")]}


@pytest.fixture(
    scope="package", params=[pytest.param(name, marks=MARKS.get(name, ())) for name in CONTESTANTS]
)
def contestant(request):
    with CONTESTANTS[request.param]() as one:
        yield one
