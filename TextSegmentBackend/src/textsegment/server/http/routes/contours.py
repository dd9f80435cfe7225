"""The route that outlines masks, ``POST /v1/contours``, so that a page can write structure sets itself.

Nothing about the patient or the images is needed for it, and nothing is kept.
"""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response
from starlette.types import Receive

from textsegment.caution import Caution
from textsegment.errors import DependencyMissingError, LimitExceededError
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.server.http.body import read_body
from textsegment.server.service import Service
from textsegment.wire.contour_codec import MAX_POINTS, OutlineRequest, decode_outline_request, encode_contours
from textsegment.wire.contract import JSON_TYPE
from textsegment.wire.correction_codec import max_correction_bytes

_UNMEASURED = MaskStatistics(0, 0.0, 0.0, 0.0, touches_border=False)


async def outline(service: Service, receive: Receive) -> Response:
    """Answer with the contours of a mask on planes.

    Raises:
        TextSegmentError: The request is malformed, too large, or asks for too many points.
    """
    limits = service.settings.limits
    body = bytearray()
    async for data in read_body(receive, max_correction_bytes(limits), service.settings):
        body += data

    def answer() -> bytes:
        return encode_contours(_contours(decode_outline_request(body, limits)))

    async with service.outliners:
        found = await asyncio.to_thread(answer)
    return Response(found, media_type=JSON_TYPE)


def _contours(request: OutlineRequest) -> list[tuple[int, NDArray[np.float64]]]:
    """Return the contours, each with the number of its plane, as those of a structure set."""
    try:
        from textsegment.files.rtstruct.contours import outlines_at
    except ModuleNotFoundError as error:
        raise DependencyMissingError(
            "The server lacks what is needed to outline masks.", "Install `textsegment[engine]` there."
        ) from error
    mask = StructureMask("mask", request.box, request.mask, _UNMEASURED)
    found: list[tuple[int, NDArray[np.float64]]] = []
    points = 0
    for number, plane in enumerate(request.planes):
        for ring in outlines_at(mask, plane.place, plane.spacing):
            points += len(ring)
            if points > MAX_POINTS:
                raise LimitExceededError(
                    Caution("limit_contours", most=MAX_POINTS), "Outline a smoother mask, or a part."
                )
            found.append((number, plane.corner + ring[:, :1] * plane.i + ring[:, 1:] * plane.j))
    return found
