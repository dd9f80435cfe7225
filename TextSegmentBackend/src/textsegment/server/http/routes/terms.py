"""The routes about words: what a text stands for, and what the vocabulary has, for pages without one.

Texts come in the body of a POST, since addresses are written to the logs of proxies.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive

from textsegment.errors import ModalityError, RequestError
from textsegment.server.http.body import read_body
from textsegment.server.service import Service
from textsegment.vocabulary.availability import as_available
from textsegment.vocabulary.description import (
    describe_branch,
    describe_resolutions,
    describe_structure,
    describe_template,
    describe_term,
)
from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.search import search_terms, term_named
from textsegment.vocabulary.selection import LONGEST_TEXT, check_length
from textsegment.vocabulary.template import load_templates
from textsegment.vocabulary.tree import load_tree
from textsegment.wire.caution_codec import caution_fields
from textsegment.wire.contract import JSON_TYPE
from textsegment.wire.strict_json import Fields, read_object, write_object

_LONGEST_WORDS = 200
_MOST_TERMS = 100
_MOST_LEVELS = 3


async def resolve_text(service: Service, receive: Receive) -> Response:
    """Answer what each term of a text stands for, among the structures of the loaded model.

    Raises:
        TextSegmentError: The request is malformed, too long, or names another modality.
    """
    given = await _fields(service, receive)
    text, modality = given.text("text", LONGEST_TEXT), _modality(given.text("modality", 2))
    details = given.has("details") and given.flag("details")
    given.end()
    check_length(text)
    available = _available(service, modality)

    def answer() -> dict[str, Any]:
        found = [as_available(each, available) for each in resolve(text, modality)]
        described = describe_resolutions(text, modality, found)
        if details:
            for entry, one in zip(described["terms"], found, strict=True):
                entry["cautions"] = [caution_fields(warning) for warning in one.warnings]
        return described

    return await _answer(service, answer)


async def search_text(service: Service, receive: Receive) -> Response:
    """Answer which terms of the anatomy tree a text may mean, best match first.

    Raises:
        TextSegmentError: The request is malformed, too long, or names another modality.
    """
    given = await _fields(service, receive)
    text, modality = given.text("text", _LONGEST_WORDS), _modality(given.text("modality", 2))
    limit = given.whole("limit", 1, _MOST_TERMS) if given.has("limit") else 20
    given.end()
    available = _available(service, modality)

    def answer() -> dict[str, Any]:
        return {"terms": [describe_term(term, modality, available) for term in search_terms(text, limit)]}

    return await _answer(service, answer)


async def browse_tree(service: Service, query: QueryParams, known: str | None) -> Response:
    """Answer with the terms under one of the tree, or with its top.

    Args:
        service: State of the server.
        query: ``modality``, and if wanted ``under``, an identifier or a name, and ``depth``.
        known: ``If-None-Match`` header of the request.

    Raises:
        TextSegmentError: The query is malformed, or the tree has no such term.
    """
    given = _parameters(query, ("modality", "under", "depth"))
    modality, under = _modality(given.get("modality", "")), given.get("under", "")
    depth = _level(given.get("depth", "1"))
    if len(under) > _LONGEST_WORDS:
        raise RequestError(f"“under” has at most {_LONGEST_WORDS} characters.")
    available = _available(service, modality)

    def answer() -> dict[str, Any]:
        terms = load_tree().children(term_named(under).id) if under else load_tree().roots()
        return {"terms": [describe_branch(term, modality, depth, available) for term in terms]}

    return await _answer(service, answer, known)


def _templates(modality: str, available: tuple[str, ...]) -> list[dict[str, Any]]:
    return [describe_template(one, modality, available) for one in load_templates().values()]


def _structures(modality: str, available: tuple[str, ...]) -> list[dict[str, Any]]:
    return [describe_structure(name) for name in available]


_LISTS = {"templates": _templates, "structures": _structures}


async def list_all(service: Service, what: str, query: QueryParams, known: str | None) -> Response:
    """Answer with everything of a kind, as far as the loaded model has it.

    Args:
        service: State of the server.
        what: ``templates`` for the sets of structures, ``structures`` for the structures with their codes.
        query: ``modality``.
        known: ``If-None-Match`` header of the request.

    Raises:
        TextSegmentError: The query is malformed.
    """
    modality = _modality(_parameters(query, ("modality",)).get("modality", ""))
    available = _available(service, modality)
    return await _answer(service, lambda: {what: _LISTS[what](modality, available)}, known)


def _available(service: Service, modality: str) -> tuple[str, ...]:
    """Return what the loaded model has in images of a modality."""
    return service.info.model.structures.get(modality, ())


async def _fields(service: Service, receive: Receive) -> Fields:
    body = bytearray()
    settings = service.settings
    async for data in read_body(receive, settings.limits.max_request_bytes, settings):
        body += data
    return read_object(body, "The request")


def _parameters(query: QueryParams, names: tuple[str, ...]) -> Mapping[str, str]:
    given = dict(query.multi_items())
    if len(given) != len(query.multi_items()) or not given.keys() <= set(names):
        raise RequestError(f"The query has other parameters than {', '.join(names)}, or one of them twice.")
    return given


def _modality(name: str) -> str:
    if name not in MODALITIES:
        raise ModalityError("The request names no modality with a vocabulary.", "Name CT, MR or PT.")
    return name


def _level(text: str) -> int:
    if text not in {str(level) for level in range(1, _MOST_LEVELS + 1)}:
        raise RequestError(f"“depth” is a whole number from 1 to {_MOST_LEVELS}.")
    return int(text)


async def _answer(
    service: Service, answer: Callable[[], dict[str, Any]], known: str | None = None
) -> Response:
    """Return an answer as JSON, or 304 if the client has it: it changes with vocabulary and model only."""
    info = service.info
    version = f"{info.software} {info.vocabulary_sha256} {info.model.weights_sha256}"
    headers = {
        "ETag": f'"{hashlib.sha256(version.encode()).hexdigest()[:32]}"',
        "Cache-Control": "private, no-cache",
    }
    if known == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    async with service.readers:
        found = await asyncio.to_thread(answer)
    return Response(write_object(found), headers=headers, media_type=JSON_TYPE)
