"""Numbers as the user's locale writes them."""

from __future__ import annotations

import qt


def number(value: float, digits: int) -> str:
    """Return a number with so many digits behind the decimal sign."""
    locale = qt.QLocale()
    sign, grouped = locale.toString(0.5), locale.toString(123456.0)
    if not sign.startswith("0") or not grouped.startswith("123"):  # other digits than these
        return locale.toString(float(value))
    text = f"{value:,.{digits}f}"
    return text.translate({ord(","): grouped[3:-3], ord("."): sign[1:-1]})
