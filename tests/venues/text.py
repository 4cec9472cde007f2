"""Numbers as exchanges write them."""

from decimal import Decimal


def plain(value: Decimal) -> str:
    """Without an exponent and trailing zeros."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def fixed(value: Decimal, unit: Decimal) -> str:
    """With as many places as `unit` has."""
    return f"{value.quantize(unit):f}"
