"""Numbers formatted for the user's locale."""

from __future__ import annotations

import qt


def number(value: float, digits: int) -> str:
    """Format a number with the given number of decimal places."""
    locale = qt.QLocale()
    sign, grouped = locale.toString(0.5), locale.toString(123456.0)
    if not sign.startswith("0") or not grouped.startswith("123"):  # the locale does not use ASCII digits
        return locale.toString(float(value))
    text = f"{value:,.{digits}f}"
    return text.translate({ord(","): grouped[3:-3], ord("."): sign[1:-1]})
