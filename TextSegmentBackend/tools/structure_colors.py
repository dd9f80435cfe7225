"""Colors of structures: close to customary ones, all different, and distinct for left and right."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Mapping

Color = tuple[int, int, int]

# Hue range, and a typical saturation and value, for kinds without a known color.
KIND_HSV: dict[str, tuple[float, float, float, float]] = {
    "vessel": (0.98, 1.04, 0.75, 0.80),
    "bone": (0.09, 0.14, 0.40, 0.93),
    "cartilage": (0.45, 0.58, 0.35, 0.85),
    "joint": (0.45, 0.58, 0.45, 0.75),
    "disc": (0.48, 0.60, 0.50, 0.85),
    "muscle": (0.02, 0.06, 0.55, 0.72),
    "nerve": (0.12, 0.18, 0.75, 0.92),
    "tissue": (0.08, 0.16, 0.50, 0.80),
    "cavity": (0.50, 0.68, 0.55, 0.82),
    "brain region": (0.0, 1.0, 0.48, 0.78),
    "gland": (0.30, 0.48, 0.55, 0.68),
    "organ": (0.0, 1.0, 0.45, 0.82),
    "lesion": (0.20, 0.40, 0.85, 0.75),
}
SMALLEST_DISTANCE = 14.0
# Replacements where the customary colors of adjacent organs can hardly be distinguished.
TOLD_APART: dict[str, Color] = {
    "heart": (188, 30, 72),
    "aorta": (255, 66, 28),
    "left lung": (142, 190, 216),
    "right lung": (104, 150, 190),
    "lung": (124, 172, 204),
    "esophagus": (150, 104, 46),
    "stomach": (122, 132, 44),
    "gallbladder": (70, 140, 60),
    "duodenum": (200, 210, 96),
    "urinary bladder": (250, 244, 150),
    "colon": (190, 166, 184),
    "prostate": (222, 104, 170),
}
Row = tuple[str, str, "str | None", "str | None"]


def distance(a: Color, b: Color) -> float:
    """Return an approximate perceptual distance between two colors (redmean formula)."""
    mean = (a[0] + b[0]) / 2
    dr, dg, db = (float(x - y) for x, y in zip(a, b, strict=True))
    return float(((2 + mean / 256) * dr * dr + 4 * dg * dg + (2 + (255 - mean) / 256) * db * db) ** 0.5)


def from_hsv(hue: float, saturation: float, value: float) -> Color:
    """Return the color (0–255) for a hue, saturation and value (0–1)."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(r * 255), round(g * 255), round(b * 255)


def shifted(color: Color, step: int) -> Color:
    """Return a color near the given one; the larger the step, the farther away."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in color))
    sign = 1 if step % 2 else -1
    amount = (step + 1) // 2
    return from_hsv(
        hue + sign * 0.012 * amount, saturation + sign * 0.05 * (amount % 3), value - 0.05 * (amount % 4)
    )


def fresh(name: str, kind: str, seed_of: Callable[[str], int]) -> Color:
    """Return a color for a structure without a known one, within the range of its kind."""
    low, high, saturation, value = KIND_HSV[kind]
    if kind == "vessel" and ("vein" in name or "vena" in name):
        low, high = 0.56, 0.64
    seed = seed_of(name)
    return from_hsv(
        low + (high - low) * (seed % 997) / 997,
        saturation + (seed // 997 % 21 - 10) / 60,
        value + (seed // 20_937 % 21 - 10) / 100,
    )


def darker(color: Color) -> Color:
    """Return the color of the right side, given that of the left side."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in color))
    return from_hsv(hue, saturation + 0.08, value * 0.82 if value > 0.35 else value + 0.25)


def assign_colors(
    rows: Iterable[Row], known: Mapping[str, Color], seed_of: Callable[[str], int]
) -> dict[str, Color]:
    """Return a color for each structure, all of them different.

    Args:
        rows: Name, kind, side and unsided parent of every structure.
        known: Customary colors, used unless another structure already has the color.
        seed_of: Function that returns a number that depends only on its text.
    """
    result: dict[str, Color] = {}

    def place(name: str, wish: Color) -> None:
        color, step = wish, 0
        while any(distance(color, other) < SMALLEST_DISTANCE for other in result.values()):
            step += 1
            color = shifted(wish, step)
        result[name] = color

    ordered = sorted(rows, key=lambda row: (row[0] not in known, row[2] == "right", row[2] or "", row[0]))
    for name, kind, side, _ in ordered:
        base = name.replace("left ", "").replace("right ", "")
        mirror = name.replace("right", "left", 1)
        left = result.get(mirror) if side == "right" else None
        wish = known.get(name) or fresh(base, kind, seed_of)
        if left is not None and (
            name not in known or known[name] == known.get(name.replace("right", "left", 1))
        ):
            wish = darker(left)
        place(name, wish)
    return result
