"""The page as files: who gets them, and what they may do."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import requests

WEB = Path(str(resources.files("textsegment") / "web"))
NAMES = sorted(file.relative_to(WEB).as_posix() for file in WEB.rglob("*.*"))


@pytest.mark.parametrize("path", ["/", *(f"/app/{name}" for name in NAMES)])
def test_page_needs_no_key_and_may_load_nothing_from_elsewhere(keyed_server, path):
    answer = requests.get(keyed_server.url + path, timeout=120)
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    sources = {source for key, value in policy.items() if key.endswith("-src") for source in value.split()}
    compiling = {"'wasm-unsafe-eval'"} if path == "/app/compression/worker.js" else set()
    assert sources <= {"'none'", "'self'", "blob:", "data:"} | compiling
    assert "data:" not in policy["script-src"] + policy["worker-src"] + policy["connect-src"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
    head = requests.head(keyed_server.url + path, timeout=120)
    assert (head.status_code, head.content) == (200, b"")
    again = requests.get(
        keyed_server.url + path, headers={"If-None-Match": answer.headers["ETag"]}, timeout=120
    )
    assert (again.status_code, again.content) == (304, b"")


def test_nothing_is_inline_and_nothing_foreign_is_named():
    for name in (name for name in NAMES if not name.startswith("assets/")):
        text = (WEB / name).read_text("utf-8")
        assert "innerHTML" not in text
        assert " style=" not in text
        urls = [
            word
            for word in text.split()
            if "://" in word and "w3.org" not in word and "teem.source" not in word
        ]
        assert urls == [], name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/app/", 404),
        ("GET", "/app/other.js", 404),
        ("GET", "/app/__init__.py", 404),
        ("GET", "/app/..%2f..%2fpyproject.toml", 404),
        ("GET", "/app/%2e%2e/errors.py", 404),
        ("POST", "/app/main.js", 405),
        ("PUT", "/", 405),
        ("GET", "/v1/info", 401),
        ("GET", "/openapi.json", 401),
    ],
)
def test_only_those_files_are_open(keyed_server, method, path, status):
    session = requests.Session()
    request = requests.Request(method, keyed_server.url + path).prepare()
    request.url = keyed_server.url + path  # as it is written, not as requests would tidy it
    assert session.send(request, timeout=120).status_code == status


def test_page_is_refused_under_another_name(keyed_server):
    """A foreign site whose name points at this computer gets nothing (DNS rebinding)."""
    answer = requests.get(keyed_server.url, headers={"Host": "evil.example"}, timeout=120)
    assert answer.status_code == 403


def test_pages_of_other_origins_get_nothing(keyed_server):
    """Neither a preflight nor a request says that another origin may read the answer."""
    asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("OPTIONS", "/v1/segment"), ("OPTIONS", "/"), ("GET", "/v1/info"), ("GET", "/")):
        answer = requests.request(method, keyed_server.url + path, headers=asked, timeout=120)
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert method == "GET" or answer.status_code >= 400
