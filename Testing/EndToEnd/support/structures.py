"""Structures that the demo model finds in the sample CT, for the tests to ask for."""

TEXT = "left lung, right lung, heart, aorta, liver"
STRUCTURES = tuple(TEXT.split(", "))
