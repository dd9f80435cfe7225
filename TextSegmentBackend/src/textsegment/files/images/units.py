"""Units of length in image headers."""

from __future__ import annotations

_MILLIMETRES = {
    "m": 1000.0, "meter": 1000.0, "metre": 1000.0, "cm": 10.0, "centimeter": 10.0, "centimetre": 10.0,
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3,
    "micrometer": 1e-3, "micrometre": 1e-3, "nm": 1e-6, "nanometer": 1e-6, "nanometre": 1e-6,
    "in": 25.4, "inch": 25.4, "inches": 25.4,
}  # fmt: skip


def millimetres(unit: str) -> float | None:
    """Return the length of a unit in millimetres; None if the unit is unknown.

    Example:
        >>> millimetres("cm"), millimetres("Microns"), millimetres("pixel")
        (10.0, 0.001, None)
    """
    name = unit.strip().strip('"').strip().lower()
    return _MILLIMETRES.get(name, _MILLIMETRES.get(name.removesuffix("s")))
