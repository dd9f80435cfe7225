"""Contour colours that are visible on grey and distinguishable from one another."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

Color = tuple[int, int, int]

# Relative luminance (WCAG 2) of the darkest contour: a contrast of 5:1 against black.
_DARKEST = 0.20
_LEAST_SATURATION = 0.45
# Colours closer than this (Euclidean distance, 0 to 255) look the same as thin lines.
_ALIKE = 48.0
_GOLDEN_TURN = 0.381966
_MOST_TURNS = 24


def distinct_colors(wanted: Sequence[Color]) -> tuple[Color, ...]:
    """Adjust colours as little as needed to be bright, not grey, and distinct from the preceding ones.

    Args:
        wanted: Preferred colours as (red, green, blue), 0 to 255.
    """
    chosen: list[Color] = []
    for color in wanted:
        visible = _visible(color)
        candidates = [_turned(visible, turn * _GOLDEN_TURN) for turn in range(_MOST_TURNS)]
        apart = [min((_distance(c, other) for other in chosen), default=_ALIKE) for c in candidates]
        free = next((c for c, distance in zip(candidates, apart, strict=True) if distance >= _ALIKE), None)
        chosen.append(free or candidates[apart.index(max(apart))])
    return tuple(chosen)


def luminance(color: Color) -> float:
    """Return the relative luminance (WCAG 2) of a colour, from 0 for black to 1 for white."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _visible(color: Color) -> Color:
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in color))
    saturation = max(saturation, _LEAST_SATURATION)
    visible = _rgb(hue, saturation, max(value, 0.6))
    while luminance(visible) < _DARKEST:
        value = min(1.0, value + 0.05)
        saturation *= 0.97 if value == 1.0 else 1.0
        visible = _rgb(hue, saturation, max(value, 0.6))
    return visible


def _turned(color: Color, turn: float) -> Color:
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in color))
    return color if turn == 0 else _visible(_rgb((hue + turn) % 1.0, saturation, value))


def _rgb(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return (round(red * 255), round(green * 255), round(blue * 255))


def _distance(a: Color, b: Color) -> float:
    return float(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5)
