"""Schemas of the JSON bodies, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

from textsegment.wire.failures import error_classes

DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
MODALITY = {"type": "string", "enum": ["CT", "MR", "PT"]}
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer", "minimum": 1}
_FLAG = {"type": "boolean"}


def _object(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has exactly these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _with_optional(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that may have more fields."""
    return {**schema, "properties": schema["properties"] | properties}


_CODE = _object(value=_TEXT, scheme=_TEXT, meaning=_TEXT)
_CODE_OR_NULL = {"anyOf": [_CODE, {"type": "null"}]}
_CAUTION = _object(code=_TEXT, about=_TEXT, values={"type": "object"})
_CAUTIONS = _list({"anyOf": [_CAUTION, {"type": "null"}]})

# With children where a tree was asked for.
_TERM = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "name": _TEXT,
        "synonyms": _TEXTS,
        "definition": _TEXT,
        "source": _TEXT,
        "parents": _list(_object(id=_TEXT, relation=_TEXT)),
        "support": {"type": "string", "enum": ["structure", "parts", "wider", "none"]},
        "prompts": _TEXTS,
        "children": _list({"type": "object"}),
    },
    "required": ["id", "name", "support", "prompts"],
    "additionalProperties": False,
}


def schemas() -> dict[str, Any]:
    """Return the schemas of all JSON bodies, by name."""
    limits = ("max_volume_bytes", "max_voxels", "max_prompts", "max_prompt_characters", "max_request_bytes")
    return {
        "ErrorReport": _object(
            code={"type": "string", "enum": sorted(error_classes())},
            message=_TEXT,
            hint=_TEXT,
            suggestions=_TEXTS,
            retry_after_s={"type": "integer", "minimum": 0, "maximum": 3600},
        ),
        "ServerInfo": _object(
            protocol={"type": "integer", "const": 1},
            software=_TEXT,
            model=_TEXT,
            weights_sha256=_TEXT,
            device=_TEXT,
            vocabulary_sha256=_TEXT,
            limits=_object(**dict.fromkeys(limits, _COUNT)),
            structures={"type": "object", "additionalProperties": _TEXTS},
        ),
        "ResolveRequest": _with_optional(
            _object(text={"type": "string", "maxLength": 20000}, modality=MODALITY), details=_FLAG
        ),
        "Resolutions": _object(
            text=_TEXT,
            modality=MODALITY,
            terms=_list(
                _with_optional(
                    _object(
                        term=_TEXT,
                        status=_TEXT,
                        prompts=_TEXTS,
                        relation={"type": ["string", "null"]},
                        warnings=_TEXTS,
                        suggestions=_TEXTS,
                    ),
                    cautions=_CAUTIONS,
                )
            ),
        ),
        "SearchRequest": _with_optional(
            _object(text={"type": "string", "maxLength": 200}, modality=MODALITY),
            limit={"type": "integer", "minimum": 1, "maximum": 100},
        ),
        "Terms": _object(terms=_list(_TERM)),
        "Templates": _object(
            templates=_list(
                _object(
                    id=_TEXT,
                    label=_TEXT,
                    structures=_list(_object(output=_TEXT, prompts=_TEXTS)),
                    warnings=_TEXTS,
                )
            )
        ),
        "Structures": _object(
            structures=_list(
                _object(
                    name=_TEXT,
                    kind=_TEXT,
                    category=_CODE,
                    type=_CODE,
                    type_modifier=_CODE_OR_NULL,
                    region=_CODE_OR_NULL,
                    region_modifier=_CODE_OR_NULL,
                )
            )
        ),
        "Contours": _object(
            contours=_list(_object(plane={"type": "integer", "minimum": 0}, points=_list({"type": "number"})))
        ),
        "SegmentRequest": _object(
            volume=DIGEST,
            prompts={
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "minLength": 1, "maxLength": 200},
            },
        ),
    }
