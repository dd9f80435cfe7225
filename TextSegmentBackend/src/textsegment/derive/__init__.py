"""Structures made of other structures: unions, differences, margins."""
