"""What the tests ask for: structures that the demonstration model finds in the sample CT."""

TEXT = "left lung, right lung, heart, aorta, liver"
STRUCTURES = tuple(TEXT.split(", "))
