"""For all tests of the backend."""

from hypothesis import settings

# The same examples for everybody, and as long as they take on a busy machine.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
