"""Whose turn it is: a bounded queue in which clients take turns, whatever each of them has asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from types import TracebackType

from textsegment.errors import BusyError

_RETRY_AFTER_S = 5
# An engine that gains slots does not say so.
_REFRESH_S = 1.0


class QueuePlace:
    """Place of one job, from its admission to its end; leave it as a context manager."""

    def __init__(self, schedule: Schedule, client: str) -> None:
        self.client = client
        self.may_run = False
        self._schedule = schedule
        self._changed: asyncio.Future[None] | None = None

    def __enter__(self) -> QueuePlace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._schedule._leave(self)

    async def positions(self) -> AsyncGenerator[int, None]:
        """Yield how many jobs have to end before this one begins, whenever it changes; end at the turn.

        Raises:
            BusyError: The server stops.
        """
        last = -1
        while not self.may_run:
            self._schedule._require_open()
            self._changed = asyncio.get_running_loop().create_future()
            if (position := self._schedule._position(self)) != last:
                yield (last := position)
                continue
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with its result.
            await asyncio.wait((self._changed,), timeout=_REFRESH_S)
            self._schedule.refresh()

    def _notify(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Schedule:
    """Gives the slots of an engine to jobs: round robin over clients, in order within a client.

    Args:
        slots: Returns how many jobs may run at once.
        max_queue: Jobs that wait.
        max_queue_per_client: Jobs of one client that wait.
    """

    def __init__(self, slots: Callable[[], int], max_queue: int, max_queue_per_client: int) -> None:
        self._slots = slots
        self._max_queue = max_queue
        self._max_queue_per_client = max_queue_per_client
        self._running: set[QueuePlace] = set()
        # Clients in the order of their turns; the first one is next. No client without a ticket.
        self._waiting: dict[str, deque[QueuePlace]] = {}
        self._is_open = True

    @property
    def running(self) -> int:
        """Jobs that compute."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return sum(map(len, self._waiting.values()))

    def admit(self, client: str) -> QueuePlace:
        """Let a job in.

        Raises:
            BusyError: The queue is full, this client has its share of it, or the server stops.
        """
        self._require_open()
        place = QueuePlace(self, client)
        if self.running < self._slots() and not self._waiting:
            self._start(place)
            return place
        if self.waiting >= self._max_queue:
            raise BusyError("The queue is full.", "Try again later.", _RETRY_AFTER_S)
        if len(self._waiting.get(client, ())) >= self._max_queue_per_client:
            raise BusyError("Too many of your jobs are waiting.", "Try again later.", _RETRY_AFTER_S)
        self._waiting.setdefault(client, deque()).append(place)
        self.refresh()
        return place

    def stop(self) -> None:
        """Let nobody in any more, and send away who waits; who runs goes on."""
        self._is_open = False
        self._notify_waiting()

    def refresh(self) -> None:
        """Give out slots that an engine has gained meanwhile."""
        while self._waiting and self.running < self._slots():
            client = next(iter(self._waiting))
            places = self._waiting.pop(client)
            self._start(places.popleft())
            if places:
                self._waiting[client] = places  # behind all others
        self._notify_waiting()

    def _start(self, place: QueuePlace) -> None:
        self._running.add(place)
        place.may_run = True
        place._notify()

    def _leave(self, place: QueuePlace) -> None:
        self._running.discard(place)
        places = self._waiting.get(place.client)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._waiting[place.client]
        self.refresh()

    def _position(self, place: QueuePlace) -> int:
        """Jobs that have to end first: one for each that waits before it, and one more for its own slot."""
        own = self._waiting[place.client].index(place)
        before, is_ahead = own, 1
        for client, places in self._waiting.items():
            if client == place.client:
                is_ahead = 0  # the clients behind have one turn less before this job
            else:
                before += min(len(places), own + is_ahead)
        return before + 1

    def _require_open(self) -> None:
        if not self._is_open:
            raise BusyError("The server is stopping.", "Try again later.", _RETRY_AFTER_S)

    def _notify_waiting(self) -> None:
        for places in self._waiting.values():
            for place in places:
                place._notify()
