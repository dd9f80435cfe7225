"""A bounded queue in which clients take turns, however many jobs each of them has."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from types import TracebackType

from textsegment.caution import Caution
from textsegment.errors import BusyError

_RETRY_AFTER_S = 5
# An engine does not announce that it has gained slots.
_REFRESH_S = 1.0


Client = tuple[str, str]
"""Owner and address: owners take turns, and so do the addresses of one owner."""


class QueuePlace:
    """Queue place of one job from its admission to its end; a context manager that releases it on exit.

    Attributes:
        client: Owner and address of the job.
        may_run: Whether it is the job's turn.
    """

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
        """Yield the number of jobs that must end before this one starts, whenever it changes, until its turn.

        Raises:
            BusyError: If the server is stopping.
        """
        last = -1
        while not self.may_run:
            self._schedule._require_open()
            self._changed = asyncio.get_running_loop().create_future()
            if (position := self._schedule._position(self)) != last:
                yield (last := position)
                continue
            # Not wait_for, which before Python 3.12 swallows a cancellation that coincides with the result.
            await asyncio.wait((self._changed,), timeout=_REFRESH_S)
            self._schedule.refresh()

    def _notify(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Schedule:
    """Assigns the slots of an engine to jobs; whoever had the last turn comes after all others.

    Args:
        slots: Returns the number of jobs that may run at once.
        max_queue: Maximum number of waiting jobs.
        max_queue_per_client: Maximum number of waiting jobs of one client.
        max_queue_per_owner: Maximum number of waiting jobs of one owner from all addresses; None for no
            separate limit.
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
        # Clients in order of arrival, each with at least one place.
        self._waiting: dict[Client, deque[QueuePlace]] = {}
        self._turns = _Turns()
        self._order: list[QueuePlace] | None = None  # of all waiting jobs, valid until something changes
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether jobs are admitted, which ends when the server stops."""
        return self._is_open

    @property
    def running(self) -> int:
        """Number of running jobs."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Number of waiting jobs."""
        return sum(map(len, self._waiting.values()))

    def admit(self, owner: str, address: str = "") -> QueuePlace:
        """Admit a job, and return its queue place.

        Raises:
            BusyError: If the queue is full, this client has used up its share, or the server is stopping.
        """
        self._require_open()
        client = owner, address
        place = QueuePlace(self, client)
        if self.running < self._slots() and not self._waiting:
            self._start(place)
            return place
        if self.waiting >= self._max_queue:
            raise BusyError(Caution("queue_full"), "Try again later.", _RETRY_AFTER_S)
        of_owner = sum(len(places) for other, places in self._waiting.items() if other[0] == owner)
        of_client = len(self._waiting.get(client, ()))
        if of_client >= self._max_queue_per_client or of_owner >= self._max_queue_per_owner:
            raise BusyError(Caution("queue_full_of_yours"), "Try again later.", _RETRY_AFTER_S)
        self._waiting.setdefault(client, deque()).append(place)
        self._order = None
        self.refresh()
        return place

    def stop(self) -> None:
        """Stop admitting jobs and turn waiting ones away; running ones continue."""
        self._is_open = False
        self._notify_waiting()

    def refresh(self) -> None:
        """Assign free slots, including those the engine has gained in the meantime."""
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
        """Return how many jobs must end first: one per job ahead in the queue, and one for its own slot."""
        return self._in_order().index(place) + 1

    def _in_order(self) -> list[QueuePlace]:
        if self._order is None:
            turns, left = self._turns.copy(), {client: deque(p) for client, p in self._waiting.items()}
            self._order = []
            while left:
                client = min(left, key=turns.last)  # of equals, the first to arrive
                self._order.append(left[client].popleft())
                turns.take(client)
                if not left[client]:
                    del left[client]
        return self._order

    def _require_open(self) -> None:
        if not self._is_open:
            raise BusyError(Caution("queue_closed"), "Try again later.", _RETRY_AFTER_S)

    def _notify_waiting(self) -> None:
        for places in self._waiting.values():
            for place in places:
                place._notify()


class _Turns:
    """The last turns of owners, and of the clients of each owner."""

    def __init__(self, number: int = 0, last: dict[str | Client, int] | None = None) -> None:
        self._number = number
        self._last = {} if last is None else last

    def copy(self) -> _Turns:
        return _Turns(self._number, dict(self._last))

    def last(self, client: Client) -> tuple[int, int]:
        """Return the last turn of a client's owner, then its own; the smallest pair comes next."""
        return self._last.get(client[0], 0), self._last.get(client, 0)

    def take(self, client: Client) -> None:
        self._number += 1
        self._last[client] = self._last[client[0]] = self._number

    def keep(self, clients: set[Client]) -> None:
        """Forget all other clients, which would rank behind the waiting ones anyway when they return."""
        kept = clients | {owner for owner, _ in clients}
        self._last = {who: turn for who, turn in self._last.items() if who in kept}
