"""The description that is served, against the server itself."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from server_process import ServerProcess

KEY = "k" * 20
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer(
    "application/vnd.textsegment.volume",
    "application/vnd.textsegment.correction",
    "application/vnd.textsegment.outline",
)
def _as_it_is(context, value):
    return value if isinstance(value, bytes) else value.data


@pytest.fixture(scope="module")
def server():
    with ServerProcess(keys=[KEY]) as process:
        yield process


@pytest.fixture(scope="module")
def schema(server):
    return schemathesis.openapi.from_url(
        f"{server.url}/openapi.json", headers={"Authorization": f"Bearer {KEY}"}
    )


def test_describes_every_route_and_nothing_else(schema):
    operations = {(op.ok().method.upper(), op.ok().path) for op in schema.get_all_operations()}
    assert operations == {
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("GET", "/v1/info"),
        ("HEAD", "/v1/volumes/{digest}"),
        ("PUT", "/v1/volumes/{digest}"),
        ("POST", "/v1/segment"),
        ("POST", "/v1/terms/resolve"),
        ("POST", "/v1/terms/search"),
        ("GET", "/v1/terms/tree"),
        ("GET", "/v1/terms/templates"),
        ("GET", "/v1/terms/structures"),
        ("POST", "/v1/contours"),
        ("POST", "/v1/correct"),
    }


def test_is_a_valid_description(schema):
    schema.validate()


def test_says_that_a_key_is_needed(server):
    document = server.session().get(f"{server.url}/openapi.json").json()
    assert document["security"] == [{"key": []}]
    assert document["paths"]["/healthz"]["get"]["security"] == []
    body = document["paths"]["/v1/volumes/{digest}"]["put"]["requestBody"]["content"]
    assert list(body) == ["application/vnd.textsegment.volume"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/v1/info"),
        ("HEAD", "/v1/volumes/{digest}"),
        ("PUT", "/v1/volumes/{digest}"),
        ("POST", "/v1/segment"),
        ("POST", "/v1/terms/resolve"),
        ("POST", "/v1/terms/search"),
        ("GET", "/v1/terms/tree"),
        ("GET", "/v1/terms/templates"),
        ("GET", "/v1/terms/structures"),
        ("POST", "/v1/contours"),
        ("POST", "/v1/correct"),
    ],
)
def test_no_answer_contradicts_the_description(schema, method, path):
    @settings(max_examples=20, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy())
    def conforms(case):
        case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, checks=_CHECKS, timeout=120)

    conforms()
