"""The OpenAPI description served at ``/openapi.json``; ``docs/protocol.md`` has more detail."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import textsegment
from textsegment.server.http.openapi_schemas import DIGEST, MODALITY, schemas
from textsegment.wire.contract import (
    ANSWER_TYPE,
    CORRECTION_TYPE,
    JSON_TYPE,
    NEXT_CHUNK_HEADER,
    OUTLINE_TYPE,
    PROTOCOL_HEADER,
    VOLUME_TYPE,
)

_REASONS = {
    401: "The access key is missing or wrong.",
    403: "The server is not known under the name in the header Host.",
    404: "The server does not hold this volume.",
    408: "The request came in too slowly.",
    409: "The upload goes on at another chunk than the server.",
    413: "Larger than accepted.",
    422: "The request, the volume or a prompt cannot be used.",
    426: "Another version of the protocol.",
    429: "The queue is full, or too many wrong keys; see Retry-After.",
    500: "A defect of the server.",
    503: "The engine is starting, or hangs.",
    507: "There is no room for the volume.",
}
_GUARDED = (401, 403, 429, 500)
_CONTRACT = (*_GUARDED, 426)


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/ErrorReport"}}}
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": _REASONS[status], "content": content} for status in sorted(statuses)
    }
    if 429 in found:
        found[429]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return found


def _header(name: str, value: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": value}


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": schema}}}


def _no_body(statuses: dict[int | str, dict[str, Any]]) -> dict[int | str, dict[str, Any]]:
    return {s: {k: v for k, v in answer.items() if k != "content"} for s, answer in statuses.items()}


_BINARY = {"type": "string", "format": "binary"}
_VERSION = _header(PROTOCOL_HEADER, {"type": "string", "const": "1"}, required=True)
_NEXT_CHUNK = {NEXT_CHUNK_HEADER: {"schema": {"type": "integer", "minimum": 0}}}


def _probe(summary: str, operation_id: str, description: str, *statuses: int) -> dict[str, Any]:
    content = {JSON_TYPE: {"schema": {"type": "object"}}}
    answers = {200: {"description": description, "content": content}, **_errors(403, 500, *statuses)}
    return {
        "summary": summary,
        "operation_id": operation_id,
        "responses": answers,
        "openapi_extra": {"security": []},
    }


HEALTH = _probe("Whether the server lives; no key needed", "health", "It does.")
READY = _probe("Whether a job would be computed now; no key needed", "ready", "It would.", 503, 507)
METRICS: dict[str, Any] = {
    "summary": "Figures for Prometheus",
    "operation_id": "metrics",
    "responses": {
        200: {"description": "The figures.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **_errors(*_GUARDED),
    },
}
INFO: dict[str, Any] = {
    "summary": "Version, model and limits",
    "operation_id": "info",
    "responses": {
        200: {
            "description": "What answers.",
            "content": {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/ServerInfo"}}},
        },
        **_errors(*_GUARDED),
    },
}
FIND_VOLUME: dict[str, Any] = {
    "summary": "Whether a volume is complete, and how many chunks of it are there",
    "operation_id": "find_volume",
    "responses": {
        200: {"description": "It is complete.", "headers": _NEXT_CHUNK},
        **_no_body(_errors(*_CONTRACT, 404, 422)),
    },
    "openapi_extra": {"parameters": [_VERSION]},
}
TAKE_VOLUME: dict[str, Any] = {
    "summary": "Upload a volume, or what is missing of it",
    "operation_id": "take_volume",
    "status_code": 201,
    "responses": {
        200: {"description": "It was complete before.", "headers": _NEXT_CHUNK},
        201: {"description": "It is complete now.", "headers": _NEXT_CHUNK},
        **_errors(*_CONTRACT, 408, 409, 413, 422, 507),
    },
    "openapi_extra": {"parameters": [_VERSION], "requestBody": _body(VOLUME_TYPE, _BINARY)},
}
SEGMENT: dict[str, Any] = {
    "summary": "Segment structures in an uploaded volume",
    "operation_id": "segment",
    "responses": {
        200: {
            "description": "A stream of frames, the last of which says how it ended.",
            "content": {ANSWER_TYPE: {"schema": _BINARY}},
        },
        **_errors(*_CONTRACT, 404, 408, 413, 422),
    },
    "openapi_extra": {
        "parameters": [_VERSION],
        "requestBody": _body(JSON_TYPE, {"$ref": "#/components/schemas/SegmentRequest"}),
    },
}

CORRECT: dict[str, Any] = {
    "summary": "Carry edits of a mask to the rest of an uploaded volume",
    "operation_id": "correct",
    "responses": SEGMENT["responses"],
    "openapi_extra": {"parameters": [_VERSION], "requestBody": _body(CORRECTION_TYPE, _BINARY)},
}


def _query(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _answer(description: str, schema: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {JSON_TYPE: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    headers = {"ETag": {"schema": {"type": "string"}}}
    return {
        200: {"description": description, "content": content, "headers": headers},
        **_errors(*_CONTRACT, 422, *statuses),
    }


RESOLVE: dict[str, Any] = {
    "summary": "What each term of a text stands for, among the structures of the model",
    "operation_id": "resolve_text",
    "responses": _answer("One entry for each term.", "Resolutions", 408, 413),
    "openapi_extra": {
        "parameters": [_VERSION],
        "requestBody": _body(JSON_TYPE, {"$ref": "#/components/schemas/ResolveRequest"}),
    },
}
SEARCH: dict[str, Any] = {
    "summary": "Terms of the anatomy tree that a text may mean",
    "operation_id": "search_text",
    "responses": _answer("Terms, best match first.", "Terms", 408, 413),
    "openapi_extra": {
        "parameters": [_VERSION],
        "requestBody": _body(JSON_TYPE, {"$ref": "#/components/schemas/SearchRequest"}),
    },
}
TREE: dict[str, Any] = {
    "summary": "The terms under one of the anatomy tree, or its top",
    "operation_id": "browse_tree",
    "responses": {
        304: {"description": "As the client has it."},
        **_answer("The terms.", "Terms"),
    },
    "openapi_extra": {
        "parameters": [
            _VERSION,
            _query("modality", MODALITY, required=True),
            _query("under", {"type": "string", "maxLength": 200}, required=False),
            _query("depth", {"type": "integer", "minimum": 1, "maximum": 3}, required=False),
        ]
    },
}


def _listing(summary: str, what: str) -> dict[str, Any]:
    answers = _answer(f"The {what}.", what.capitalize())
    return {
        "summary": summary,
        "operation_id": f"list_{what}",
        "responses": {304: {"description": "As the client has it."}, **answers},
        "openapi_extra": {"parameters": [_VERSION, _query("modality", MODALITY, required=True)]},
    }


TEMPLATES = _listing("Sets of structures, as far as the model has them", "templates")
STRUCTURES = _listing("The structures of the model, with their codes", "structures")
CONTOURS: dict[str, Any] = {
    "summary": "The contours of a mask on planes",
    "operation_id": "outline",
    "responses": {
        200: {
            "description": "The contours, by plane.",
            "content": {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Contours"}}},
        },
        **_errors(*_CONTRACT, 408, 413, 422),
    },
    "openapi_extra": {"parameters": [_VERSION], "requestBody": _body(OUTLINE_TYPE, _BINARY)},
}


def describe(app: FastAPI, *, has_keys: bool) -> None:
    """Make the application serve the description of its routes.

    Args:
        app: Application with all its routes.
        has_keys: Whether requests need an access key.
    """
    document = get_openapi(
        title="TextSegment",
        version=textsegment.__version__,
        description="Segments anatomy in CT, MR and PET volumes by naming it.",
        routes=app.routes,
    )
    components: dict[str, Any] = {"schemas": schemas()}
    if has_keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    document["components"] = components
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"] = DIGEST
    app.openapi = lambda: document  # type: ignore[method-assign]
