"""Every way in which a server cannot be reached, or is none, has its own words."""

import socket
from contextlib import ExitStack

import pytest
from certificates import Authority
from odd_faults import garbage, hanging_up, refusing, replying, silent
from odd_server import KEY, OddServer, serving
from relay import Tunnel

from textsegment.client.transport import Timeouts
from textsegment.errors import (
    BusyError,
    ForbiddenError,
    RateLimitedError,
    ServerTimeoutError,
    ServerUnreachableError,
    SettingsError,
    StreamBrokenError,
    TextSegmentError,
    TlsError,
    UnauthorizedError,
    VersionMismatchError,
    WeightsMissingError,
)
from textsegment.testing import phantom


def failure_of(client):
    """The error of the test of the connection."""
    with pytest.raises(TextSegmentError) as caught:
        client.server_info()
    return caught.value


def test_nobody_listens(connect):
    with serving(OddServer()) as gone:
        url = gone.url
    error = failure_of(connect(url))
    assert type(error) is ServerUnreachableError
    assert "No server listens" in error.message
    assert error.hint


def test_no_such_name(connect):
    error = failure_of(connect("https://gpu.nowhere.invalid"))
    assert type(error) is ServerUnreachableError
    assert "name" in error.message


def test_no_answer_to_the_call(connect):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        error = failure_of(connect(f"http://127.0.0.1:{port}", timeouts=Timeouts(connect_s=0.3)))
        for filler in fillers:
            filler.close()
    assert type(error) is ServerTimeoutError
    assert "No connection" in error.message


def test_silence_behind_the_request(server, connect):
    server.expect("GET", silent)
    error = failure_of(connect(server.url, timeouts=Timeouts(answer_s=0.3)))
    assert type(error) is ServerTimeoutError
    assert "silent" in error.message


@pytest.mark.parametrize("fault", [hanging_up, garbage])
def test_broken_answers(remote, server, fault):
    server.expect("GET", fault)
    assert type(failure_of(remote)) is StreamBrokenError


@pytest.mark.parametrize(
    "fault",
    [
        replying(200, b"<html>Please log in</html>", Content_Type="text/html"),
        replying(404, b"<html>Not Found</html>"),
        replying(200, b"{}", ours=True),
        replying(200, b"\xff" * 1000, ours=True),
    ],
)
def test_something_else_answers(remote, server, fault):
    server.expect("GET", fault)
    error = failure_of(remote)
    assert type(error) is ServerUnreachableError
    assert "no TextSegment server" in error.message


def test_an_answer_without_end_is_not_read_to_its_end(remote, server):
    server.expect("GET", replying(200, b" " * 2**25, ours=True))
    assert type(failure_of(remote)) is StreamBrokenError


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (407, ServerUnreachableError),
        (426, VersionMismatchError),
        (429, RateLimitedError),
        (502, ServerUnreachableError),
        (503, BusyError),
        (504, ServerUnreachableError),
    ],
)
def test_what_proxies_say_without_a_report(remote, server, status, kind):
    server.expect("GET", replying(status, b"<html>" + b"x" * 300_000))
    assert type(failure_of(remote)) is kind


def test_a_wrong_key_is_told_before_anything_is_uploaded(server, connect):
    """Fault 34."""
    client = connect(server.url, "wrong-key")
    assert type(failure_of(client)) is UnauthorizedError
    with pytest.raises(UnauthorizedError):
        client.segment(phantom(), ["liver"])
    assert set(server.methods()) == {"GET"}


@pytest.mark.parametrize(
    "error",
    [
        WeightsMissingError("The weights of sat-nano are not here.", "textsegment weights download sat-nano"),
        ForbiddenError("Foreign host name."),
        BusyError("The server starts.", retry_after_s=7),
        VersionMismatchError("The server speaks version 2."),
    ],
)
def test_typed_errors_of_the_server_arrive_as_they_are(remote, server, error):
    server.expect("GET", refusing(error))
    found = failure_of(remote)
    assert (type(found), found.message, found.hint) == (type(error), error.message, error.hint)


def test_another_version(remote, server):
    """Fault 61."""
    server.expect("GET", replying(200, b'{"protocol": 2}', TextSegment_Protocol="2"))
    assert type(failure_of(remote)) is VersionMismatchError


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_and_the_key_stays(remote, server, status):
    with serving(OddServer(key=KEY)) as elsewhere:
        server.expect("GET", replying(status, Location=f"{elsewhere.url}/v1/info"))
        error = failure_of(remote)
        assert type(error) is SettingsError
        assert "http://127.0.0.1" in error.hint
        server.expect("GET", replying(status, Location="http://[broken"))
        assert type(failure_of(remote)) is SettingsError
        assert elsewhere.requests == []


@pytest.fixture
def tls_url(authority):
    """Makes servers with a certificate."""
    with ExitStack() as stack:

        def make(*names, expired=False):
            context = authority.server_context(*names, expired=expired)
            odd = stack.enter_context(serving(OddServer(key=KEY), context))
            return odd.url.replace("http:", "https:")

        yield make


def test_a_good_certificate(tls_url, connect, authority):
    client = connect(tls_url("127.0.0.1"), ca_file=authority.file)
    assert client.info().model == "fake"
    assert len(client.segment(phantom(), ["liver"])) == 1


def test_an_unknown_authority(tls_url, connect):
    error = failure_of(connect(tls_url("127.0.0.1")))
    assert type(error) is TlsError
    assert "nobody known" in error.message
    assert "CA file" in error.hint


def test_a_ca_file_replaces_the_usual_authorities(connect, authority, tls_url, tmp_path):
    other = Authority(tmp_path)
    error = failure_of(connect(tls_url("127.0.0.1"), ca_file=other.file))
    assert "nobody known" in error.message


def test_a_certificate_of_another_name(tls_url, connect, authority):
    error = failure_of(connect(tls_url("gpu.example.org"), ca_file=authority.file))
    assert type(error) is TlsError
    assert "another name" in error.message


def test_an_expired_certificate(tls_url, connect, authority):
    error = failure_of(connect(tls_url("127.0.0.1", expired=True), ca_file=authority.file))
    assert type(error) is TlsError
    assert "not valid today" in error.message


def test_no_tls_at_this_port(server, connect):
    error = failure_of(connect(server.url.replace("http:", "https:")))
    assert type(error) is TlsError
    assert "speaks no TLS" in error.message


def test_plain_http_to_a_port_with_tls(tls_url, connect):
    error = failure_of(connect(tls_url("127.0.0.1").replace("https:", "http:")))
    assert isinstance(error, (StreamBrokenError, ServerUnreachableError))
    assert "https" in error.hint


def test_a_proxy_that_is_not_there(connect):
    with serving(OddServer()) as gone:
        url = gone.url
    error = failure_of(connect("https://gpu.example.org", proxies={"https": url}))
    assert type(error) is ServerUnreachableError
    assert "proxy" in error.message


@pytest.mark.parametrize(
    ("refusal", "words"),
    [("407 Proxy Authentication Required", "password"), ("403 Forbidden", "does not lead")],
)
def test_a_proxy_that_refuses(connect, refusal, words):
    with Tunnel(refusal=refusal).running() as proxy:
        url = proxy.url.replace("//", "//user:proxy-secret@")
        error = failure_of(connect("https://gpu.example.org", proxies={"https": url}))
    assert type(error) is ServerUnreachableError
    assert words in error.message
    assert all("proxy-secret" not in text for text in everything_in(error))


@pytest.mark.parametrize("proxy", ["socks9://127.0.0.1:1", "http://"])
def test_addresses_of_proxies_that_cannot_be_used(connect, proxy):
    assert type(failure_of(connect("https://gpu.example.org", proxies={"https": proxy}))) is SettingsError


def test_through_a_proxy_that_sees_neither_key_nor_scan(connect, authority):
    odd = OddServer(key=KEY)
    tunnel = Tunnel(odd.server_address[1])
    with serving(odd, authority.server_context("gpu.example.org")), tunnel.running() as proxy:
        client = connect("https://gpu.example.org", proxies={"https": proxy.url}, ca_file=authority.file)
        assert len(client.segment(phantom(), ["liver"])) == 1
    assert proxy.heads
    assert all(KEY.encode() not in head for head in proxy.heads)


def test_the_key_is_in_no_error_log_or_representation(server, connect, caplog):
    caplog.set_level("DEBUG")
    urls = (server.url, server.url.replace("http", "https"), "http://127.0.0.1:1")
    clients = [connect(url, timeouts=Timeouts(answer_s=0.3, recovery_s=0.1)) for url in urls]
    server.expect("GET", hanging_up, hanging_up, garbage, silent)
    texts = [f"{clients}"]
    for client in clients * 4:
        try:
            client.segment(phantom(), ["liver"])
        except TextSegmentError as error:
            texts += everything_in(error)
    assert len(texts) > 8
    assert all(KEY not in text for text in [*texts, caplog.text])


def everything_in(error):
    """Texts of an error and of all that it was raised from, with what hangs on them."""
    while error is not None:
        request = getattr(error, "request", None)
        yield f"{error!r} {error} {vars(error)} {request and request.headers}"
        error = error.__cause__
