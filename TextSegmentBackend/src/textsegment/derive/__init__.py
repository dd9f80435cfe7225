"""Structures derived from other structures: unions, intersections, differences and margins."""
