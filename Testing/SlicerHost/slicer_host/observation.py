"""Observers of MRML objects that let go of what they observed."""


class Observer:
    """Watches one object at a time.

    Args:
        call: Called without arguments at every event.
    """

    def __init__(self, call) -> None:
        self._call = call
        self._watched = None
        self._tags: list[int] = []

    def watch(self, watched, events) -> None:
        """Watches another object, or nothing when it is None."""
        if self._watched is not None:
            for tag in self._tags:
                self._watched.RemoveObserver(tag)
        self._watched = watched
        self._tags = [] if watched is None else [watched.AddObserver(event, self._tell) for event in events]

    def _tell(self, _caller, _event) -> None:
        self._call()
