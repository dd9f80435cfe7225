import pytest
from certificates import Authority
from odd_server import KEY, OddServer, serving

from textsegment.client.remote import RemoteSegmenter
from textsegment.client.transport import Timeouts

SHORT = Timeouts(answer_s=20, silence_s=20, recovery_s=20)


@pytest.fixture
def server():
    """A server of our own that misbehaves when it is told to."""
    with serving(OddServer(key=KEY)) as odd:
        yield odd


@pytest.fixture
def connect():
    """Makes clients that are closed behind the test."""
    clients = []

    def make(url, key=KEY, *, timeouts=SHORT, **options):
        clients.append(RemoteSegmenter(url, key, timeouts=timeouts, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def remote(server, connect):
    """A client of the server."""
    return connect(server.url)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Signs certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))
