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


Client = tuple[str, str]
"""Owner and address: owners take turns, and within one of them addresses."""


class QueuePlace:
    """Place of one job, from its admission to its end; leave it as a context manager."""

    def __init__(self, schedule: Schedule, client: Client) -> None:
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
    """Gives the slots of an engine to jobs; who had a turn last is behind all others.

    Args:
        slots: Returns how many jobs may run at once.
        max_queue: Jobs that wait.
        max_queue_per_client: Jobs of one client that wait.
        max_queue_per_owner: Jobs of one owner that wait, from all addresses; None for no bound of their own.
    """

    def __init__(
        self,
        slots: Callable[[], int],
        max_queue: int,
        max_queue_per_client: int,
        max_queue_per_owner: int | None = None,
    ) -> None:
        self._slots = slots
        self._max_queue = max_queue
        self._max_queue_per_client = max_queue_per_client
        self._max_queue_per_owner = max_queue if max_queue_per_owner is None else max_queue_per_owner
        self._running: set[QueuePlace] = set()
        # Clients in the order of their coming. No client without a place.
        self._waiting: dict[Client, deque[QueuePlace]] = {}
        self._turns = _Turns()
        self._order: list[QueuePlace] | None = None  # of all that wait, until something changes
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether jobs are let in: until the server stops."""
        return self._is_open

    @property
    def running(self) -> int:
        """Jobs that compute."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return sum(map(len, self._waiting.values()))

    def admit(self, owner: str, address: str = "") -> QueuePlace:
        """Let a job in.

        Raises:
            BusyError: The queue is full, this client has its share of it, or the server stops.
        """
        self._require_open()
        client = owner, address
        place = QueuePlace(self, client)
        if self.running < self._slots() and not self._waiting:
            self._start(place)
            return place
        if self.waiting >= self._max_queue:
            raise BusyError("The queue is full.", "Try again later.", _RETRY_AFTER_S)
        of_owner = sum(len(places) for other, places in self._waiting.items() if other[0] == owner)
        of_client = len(self._waiting.get(client, ()))
        if of_client >= self._max_queue_per_client or of_owner >= self._max_queue_per_owner:
            raise BusyError("Too many of your jobs are waiting.", "Try again later.", _RETRY_AFTER_S)
        self._waiting.setdefault(client, deque()).append(place)
        self._order = None
        self.refresh()
        return place

    def stop(self) -> None:
        """Let nobody in any more, and send away who waits; who runs goes on."""
        self._is_open = False
        self._notify_waiting()

    def refresh(self) -> None:
        """Give out slots that an engine has gained meanwhile."""
        while self._waiting and self.running < self._slots():
            place = self._in_order()[0]
            self._remove(place)
            self._start(place)
        self._notify_waiting()

    def _start(self, place: QueuePlace) -> None:
        self._running.add(place)
        self._turns.take(place.client)
        self._order = None
        place.may_run = True
        place._notify()

    def _leave(self, place: QueuePlace) -> None:
        self._running.discard(place)
        if place in self._waiting.get(place.client, ()):
            self._remove(place)
        self._turns.keep({*self._waiting, *(other.client for other in self._running)})
        self._order = None
        self.refresh()

    def _remove(self, place: QueuePlace) -> None:
        places = self._waiting[place.client]
        places.remove(place)
        if not places:
            del self._waiting[place.client]
        self._order = None

    def _position(self, place: QueuePlace) -> int:
        """Jobs that have to end first: one for each that waits before it, and one more for its own slot."""
        return self._in_order().index(place) + 1

    def _in_order(self) -> list[QueuePlace]:
        if self._order is None:
            turns, left = self._turns.copy(), {client: deque(p) for client, p in self._waiting.items()}
            self._order = []
            while left:
                client = min(left, key=turns.last)  # the first that came, of equals
                self._order.append(left[client].popleft())
                turns.take(client)
                if not left[client]:
                    del left[client]
        return self._order

    def _require_open(self) -> None:
        if not self._is_open:
            raise BusyError("The server is stopping.", "Try again later.", _RETRY_AFTER_S)

    def _notify_waiting(self) -> None:
        for places in self._waiting.values():
            for place in places:
                place._notify()


class _Turns:
    """When owners, and clients within them, had their last turn."""

    def __init__(self, number: int = 0, last: dict[str | Client, int] | None = None) -> None:
        self._number = number
        self._last = {} if last is None else last

    def copy(self) -> _Turns:
        return _Turns(self._number, dict(self._last))

    def last(self, client: Client) -> tuple[int, int]:
        """Return the last turn of its owner, and its own; the least of them is next."""
        return self._last.get(client[0], 0), self._last.get(client, 0)

    def take(self, client: Client) -> None:
        self._number += 1
        self._last[client] = self._last[client[0]] = self._number

    def keep(self, clients: set[Client]) -> None:
        """Forget all others: who comes again stands behind all that wait, anyway."""
        kept = clients | {owner for owner, _ in clients}
        self._last = {who: turn for who, turn in self._last.items() if who in kept}
