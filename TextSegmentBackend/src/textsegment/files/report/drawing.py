"""Drawing of slices as pictures, with grey values, contours and letters.

Uses Pillow and needs no display.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import contourpy
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from textsegment.files.report.colors import Color
from textsegment.files.report.slices import Slice

BACKGROUND, TEXT, DIM, WARNING = "#101418", "#e8eaed", "#8a9099", "#ffb347"
# Lines are drawn enlarged by this factor and then reduced, which smooths their edges.
_SMOOTH = 3
# Typographic points, 72 to the inch.
_LINE_PT, _EDGE_PT = 1.5, 2.8
_FILLING, _EDGE_ALPHA = 0.18, 0.75
# Slices whose sides have a smaller ratio than this are stretched so that they are visible at all.
_FLAT = 1 / 12


@dataclass(frozen=True)
class Place:
    """A rectangle in a picture, in inches from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


class Sheet:
    """A picture that is drawn on in inches.

    Args:
        width: Width in inches.
        height: Height in inches.
        dpi: Pixels per inch.
    """

    def __init__(self, width: float, height: float, dpi: int) -> None:
        self._dpi = dpi
        self._image = Image.new("RGB", (self._pixels(width), self._pixels(height)), BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 9,
        color: str = TEXT,
        anchor: str = "lm",
        edge: float = 0,
    ) -> None:
        """Write a line of text.

        ``anchor`` is as in Pillow; ``size`` and ``edge``, the width of a dark outline, are in points.
        """
        self._draw.text(
            (x * self._dpi, y * self._dpi),
            # The font covers Western European letters only.
            words.encode("latin-1", "replace").decode("latin-1"),
            fill=color,
            font=_font(size * self._dpi / 72),
            anchor=anchor,
            stroke_width=round(edge * self._dpi / 72),
            stroke_fill="black",
        )

    def rectangle(self, place: Place, *, fill: Color | None, outline: Color | str) -> None:
        """Draw a rectangle."""
        self._draw.rectangle(self._corners(place), fill=fill, outline=outline)

    def slice(
        self,
        place: Place,
        piece: Slice,
        colors: Sequence[Color],
        window: tuple[float, float],
        view: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Draw a slice with the contours of its masks, orientation letters and, above it, its position.

        Args:
            place: Rectangle to draw in; the picture keeps its aspect ratio and starts in the upper left
                corner.
            piece: Slice to draw.
            colors: Colours of its masks.
            window: Voxel values shown as black and white.
            view: First and last row, first and last column to show, possibly fractional; None for all.
        """
        rows, columns = piece.pixels.shape
        top, bottom, left, right = view or (-0.5, rows - 0.5, -0.5, columns - 0.5)
        height_mm, width_mm = (bottom - top) * piece.pixel_mm[0], (right - left) * piece.pixel_mm[1]
        flat = min(height_mm, width_mm) < max(height_mm, width_mm) * _FLAT
        if not flat:
            scale = min(place.height / height_mm, place.width / width_mm)
            place = Place(place.left, place.top, width_mm * scale, height_mm * scale)
        x0, y0, x1, y1 = self._corners(place)
        size = (max(x1 - x0, 1), max(y1 - y0, 1))
        picture = _grey(piece.pixels, window, (top, bottom, left, right), size)
        self._image.paste(
            _with_contours(picture, piece.masks, colors, (top, bottom, left, right), self._dpi), (x0, y0)
        )
        title = f"{piece.view.name}   {'RAS'[piece.view.across]} {piece.position_mm:+.0f} mm"
        self.text(place.left, place.top - 0.09, f"{title}   (stretched)" if flat else title, color=DIM)
        self._letters(place, piece.view.letters)

    def png(self) -> bytes:
        """Return the picture encoded as PNG."""
        stream = io.BytesIO()
        self._image.save(stream, format="png")
        return stream.getvalue()

    def save(self, path: Path) -> None:
        """Write the picture as a PNG file, whatever its suffix."""
        self._image.save(path, format="png")

    def _letters(self, place: Place, letters: str) -> None:
        x, y = place.left + place.width / 2, place.top + place.height / 2
        inset = 0.04
        for letter, (at_x, at_y, anchor) in zip(
            letters,
            (
                (place.left + inset, y, "lm"),
                (place.left + place.width - inset, y, "rm"),
                (x, place.top + inset, "mt"),
                (x, place.top + place.height - inset, "mb"),
            ),
            strict=True,
        ):
            self.text(at_x, at_y, letter, size=10, anchor=anchor, edge=1.2)

    def _corners(self, place: Place) -> tuple[int, int, int, int]:
        return (
            self._pixels(place.left),
            self._pixels(place.top),
            self._pixels(place.left + place.width),
            self._pixels(place.top + place.height),
        )

    def _pixels(self, inches: float) -> int:
        return round(inches * self._dpi)


_View = tuple[float, float, float, float]


def _grey(
    pixels: NDArray[Any], window: tuple[float, float], view: _View, size: tuple[int, int]
) -> Image.Image:
    """Return an enlarged part of a slice, clipped to the window first so that metal does not bloom."""
    low, high = window
    shown = np.clip(np.nan_to_num(np.asarray(pixels, dtype=np.float32), nan=low), low, high)
    grey = np.rint((shown - low) * (255 / (high - low))).astype(np.uint8)
    top, bottom, left, right = view
    # Black beyond the slice.
    around = max(
        0,
        *(
            int(np.ceil(n))
            for n in (-0.5 - top, -0.5 - left, bottom - grey.shape[0] + 0.5, right - grey.shape[1] + 0.5)
        ),
    )
    image = Image.fromarray(np.pad(grey, around))
    box = (left + 0.5 + around, top + 0.5 + around, right + 0.5 + around, bottom + 0.5 + around)
    return image.resize(size, Image.Resampling.BILINEAR, box=box).convert("RGB")


def _with_contours(
    picture: Image.Image,
    masks: Sequence[NDArray[np.bool_] | None],
    colors: Sequence[Color],
    view: _View,
    dpi: int,
) -> Image.Image:
    """Draw a faint fill, and outlines with a dark edge that are visible on both bone and air."""
    large = picture.resize((picture.width * _SMOOTH, picture.height * _SMOOTH), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large, "RGBA")
    top, bottom, left, right = view
    scale = (large.width / (right - left), large.height / (bottom - top))
    point = dpi / 72 * _SMOOTH
    for mask, color in zip(masks, colors, strict=True):
        if mask is None:
            continue
        outlines = _outlines(mask)
        lines = [[((x - left) * scale[0], (y - top) * scale[1]) for x, y in outline] for outline in outlines]
        _fill(large, lines, color)
        for line in lines:
            draw.line(
                line, fill=(0, 0, 0, round(255 * _EDGE_ALPHA)), width=round(_EDGE_PT * point), joint="curve"
            )
        for line in lines:
            draw.line(line, fill=(*color, 255), width=round(_LINE_PT * point), joint="curve")
    return large.resize(picture.size, Image.Resampling.BOX)


def _fill(image: Image.Image, lines: Sequence[Sequence[tuple[float, float]]], color: Color) -> None:
    """Tint what lies inside an odd number of closed lines, which leaves holes untinted."""
    points = [point for line in lines for point in line]
    if not points:
        return
    # Only the part of the picture that the lines enclose is worked on.
    left, top = (max(int(min(values)) - 1, 0) for values in zip(*points, strict=True))
    right, bottom = (int(max(values)) + 2 for values in zip(*points, strict=True))
    size = (min(right, image.width) - left, min(bottom, image.height) - top)
    if min(size) < 1:
        return
    inside = np.zeros((size[1], size[0]), dtype=bool)
    for line in lines:
        one = Image.new("1", size)
        ImageDraw.Draw(one).polygon([(x - left, y - top) for x, y in line], fill=1)
        inside ^= np.asarray(one)
    image.paste(color, (left, top), mask=Image.fromarray(inside * np.uint8(round(255 * _FILLING))))


def _outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return closed outlines half-way between pixels inside and outside a mask, as (x, y) in pixels."""
    # Padding with one background pixel closes contours at the border of the image.
    lines = contourpy.contour_generator(z=np.pad(mask, 1).astype(np.float32)).lines(0.5)
    return [np.asarray(line) - 1.0 for line in lines]


@lru_cache(maxsize=16)
def _font(pixels: float) -> Any:
    return ImageFont.load_default(size=pixels)


def rgb(color: str) -> Color:
    """Return a colour given as a name or hexadecimal string as (red, green, blue), 0 to 255.

    >>> rgb("#ffb347")
    (255, 179, 71)
    """
    red, green, blue = ImageColor.getrgb(color)[:3]
    return (red, green, blue)
