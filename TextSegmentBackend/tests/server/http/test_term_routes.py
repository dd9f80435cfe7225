"""What a text stands for, asked of a server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import requests
from server_process import ServerProcess, report

from textsegment.vocabulary.description import describe_resolutions
from textsegment.vocabulary.resolve import resolve
from textsegment.wire.contract import (
    PROTOCOL_HEADER,
    RESOLVE_ROUTE,
    SEARCH_ROUTE,
    STRUCTURES_ROUTE,
    TEMPLATES_ROUTE,
    TREE_ROUTE,
)

HAS = ("liver", "left kidney", "right kidney", "kidney", "lung")
DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")


@pytest.fixture(scope="module")
def small():
    """A server whose model has five structures of CT, and none of MR."""
    with ServerProcess(arguments=[{"structures": {"CT": HAS}}]) as process:
        yield process


def ask(server, method: str, route: str, body: object = None, **headers: str) -> requests.Response:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    fields = {PROTOCOL_HEADER: "1", "Content-Type": "application/json", **headers}
    return requests.request(method, server.url + route, data=data, headers=fields, timeout=120)


def example(name: str) -> str:
    (found,) = re.findall(rf"^```json {name}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return found.strip()


@pytest.mark.parametrize(("word", "details"), [("resolve", ""), ("resolve", " with details"), ("search", "")])
def test_answers_as_documented(server, word, details):
    """The examples of docs/protocol.md, to the byte."""
    answer = ask(server, "POST", f"/v1/terms/{word}", example(f"{word} request{details}").encode())
    assert answer.content.decode() == example(f"{word} answer{details}")


def test_structures_are_those_of_the_model_with_their_codes(small):
    answer = ask(small, "GET", f"{STRUCTURES_ROUTE}?modality=CT")
    found = answer.json()["structures"]
    assert [one["name"] for one in found] == list(HAS)
    assert example("structure") in answer.text
    assert ask(small, "GET", f"{STRUCTURES_ROUTE}?modality=MR").json() == {"structures": []}
    known = {"If-None-Match": answer.headers["ETag"]}
    assert ask(small, "GET", f"{STRUCTURES_ROUTE}?modality=CT", **known).status_code == 304
    assert report(ask(small, "GET", STRUCTURES_ROUTE)).code == "modality_unsupported"


@pytest.mark.parametrize(
    "text", ["lt kidney, livr", "lungs; spleen", "kidney without tumor", "Leber, foie, 肝"]
)
def test_resolves_as_the_command_line_does(server, text):
    """With a model that has everything, the answer is that of ``terms resolve --json``."""
    answer = ask(server, "POST", RESOLVE_ROUTE, {"text": text, "modality": "CT"})
    assert answer.json() == describe_resolutions(text, "CT", resolve(text, "CT"))


def test_offers_only_what_the_model_has(small):
    """What the loaded model lacks is never among the prompts, whichever way it is asked for."""
    answer = ask(small, "POST", RESOLVE_ROUTE, {"text": "spleen, both kidneys, all organs", "modality": "CT"})
    spleen, *rest = answer.json()["terms"]
    assert (spleen["status"], spleen["prompts"]) == ("unsupported", [])
    found = ask(small, "POST", SEARCH_ROUTE, {"text": "spleen", "modality": "CT"}).json()["terms"]
    assert {term["support"] for term in found} == {"none"}
    tree = ask(small, "GET", f"{TREE_ROUTE}?modality=CT&depth=3").json()["terms"]
    sets = ask(small, "GET", f"{TEMPLATES_ROUTE}?modality=CT").json()["templates"]
    named = {prompt for term in rest for prompt in term["prompts"]}
    named |= {prompt for one in sets for line in one["structures"] for prompt in line["prompts"]}
    waiting = list(tree)
    while waiting:
        term = waiting.pop()
        named |= set(term["prompts"])
        waiting += term["children"]
    assert named
    assert named <= set(HAS)


def test_model_without_structures_of_the_modality_offers_nothing(small):
    (term,) = ask(small, "POST", RESOLVE_ROUTE, {"text": "liver", "modality": "MR"}).json()["terms"]
    assert (term["status"], term["prompts"]) == ("unsupported", [])


def test_tree_can_be_walked(server):
    """From the top down to a structure, by the ids that were answered."""
    top = ask(server, "GET", f"{TREE_ROUTE}?modality=CT").json()["terms"]
    assert all(term["children"] == [] for term in top)
    below = ask(server, "GET", f"{TREE_ROUTE}?modality=CT&under={top[0]['id']}").json()["terms"]
    assert below
    assert all(top[0]["id"] in {parent["id"] for parent in term["parents"]} for term in below)
    deep = ask(server, "GET", f"{TREE_ROUTE}?modality=CT&depth=2").json()["terms"]
    assert [child["id"] for child in deep[0]["children"]] == [term["id"] for term in below]


@pytest.mark.parametrize("route", [TREE_ROUTE, TEMPLATES_ROUTE])
def test_what_is_known_is_not_sent_again(server, small, route):
    first = ask(server, "GET", f"{route}?modality=CT")
    again = ask(server, "GET", f"{route}?modality=CT", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    stale = ask(server, "GET", f"{route}?modality=CT", **{"If-None-Match": '"other"'})
    assert stale.status_code == 200


@pytest.mark.parametrize(
    ("method", "route", "body", "status", "code"),
    [
        ("POST", RESOLVE_ROUTE, {"text": "liver", "modality": "US"}, 422, "modality_unsupported"),
        ("POST", RESOLVE_ROUTE, {"text": " ; ", "modality": "CT"}, 422, "prompt_invalid"),
        ("POST", RESOLVE_ROUTE, {"text": "li\x00ver", "modality": "CT"}, 422, "prompt_invalid"),
        ("POST", RESOLVE_ROUTE, {"text": "x" * 19_000, "modality": "CT"}, 413, "limit_exceeded"),
        ("POST", RESOLVE_ROUTE, {"text": "x, " * 9_000, "modality": "CT"}, 422, "request_invalid"),
        ("POST", RESOLVE_ROUTE, {"text": "liver", "modality": "CT", "name": "Doe"}, 422, "request_invalid"),
        ("POST", RESOLVE_ROUTE, {"text": ["liver"], "modality": "CT"}, 422, "request_invalid"),
        ("POST", RESOLVE_ROUTE, b"liver", 422, "request_invalid"),
        ("POST", SEARCH_ROUTE, {"text": "x" * 201, "modality": "CT"}, 422, "request_invalid"),
        ("POST", SEARCH_ROUTE, {"text": "x", "modality": "CT", "limit": 0}, 422, "request_invalid"),
        ("GET", TREE_ROUTE, None, 422, "modality_unsupported"),
        ("GET", f"{TREE_ROUTE}?modality=CT&under=xyzzy", None, 422, "structure_unknown"),
        ("GET", f"{TREE_ROUTE}?modality=CT&depth=9", None, 422, "request_invalid"),
        ("GET", f"{TREE_ROUTE}?modality=CT&modality=MR", None, 422, "request_invalid"),
        ("GET", f"{TEMPLATES_ROUTE}?modality=CT&patient=1", None, 422, "request_invalid"),
    ],
)
def test_bad_requests_say_what_to_do(server, method, route, body, status, code):
    answer = ask(server, method, route, body)
    assert (answer.status_code, report(answer).code) == (status, code)
    assert "Doe" not in answer.text


def test_text_does_not_reach_the_log(server):
    """A typed text may hold anything, also a name."""
    ask(server, "POST", RESOLVE_ROUTE, {"text": "zzzyx Lastname", "modality": "CT"})
    assert "zzzyx" not in server.log
