"""The queue by itself."""

from __future__ import annotations

import asyncio

import pytest

from textsegment.errors import BusyError
from textsegment.server.jobs.schedule import QueuePlace, Schedule


def made(slots=1, max_queue=8, share=8) -> Schedule:
    return Schedule(lambda: slots, max_queue, share)


def position(place: QueuePlace) -> int:
    async def first() -> int:
        async for found in place.positions():
            return found
        return 0

    return asyncio.run(first())


def leave(place: QueuePlace) -> None:
    place.__exit__(None, None, None)


def test_runs_at_once_while_slots_are_free():
    schedule = made(slots=2)
    assert [schedule.admit("a").may_run for _ in range(3)] == [True, True, False]
    assert (schedule.running, schedule.waiting) == (2, 1)


def test_position_is_the_number_of_jobs_that_have_to_end_before():
    schedule = made(slots=2)
    places = [schedule.admit("a") for _ in range(5)]
    assert [position(place) for place in places] == [0, 0, 1, 2, 3]


def test_a_job_that_comes_after_positions_were_asked_for_has_one():
    schedule = made()
    schedule.admit("a")
    for number in range(1, 4):
        assert position(schedule.admit("a")) == number


def test_full_queue_refuses_with_a_time_to_wait():
    """Fault 44."""
    schedule = made(max_queue=2)
    for _ in range(3):
        schedule.admit("a")
    with pytest.raises(BusyError) as refused:
        schedule.admit("b")
    assert refused.value.retry_after_s > 0


def test_one_client_cannot_fill_the_queue():
    schedule = made(max_queue=4, share=2)
    for _ in range(3):
        schedule.admit("greedy")
    with pytest.raises(BusyError):
        schedule.admit("greedy")
    schedule.admit("modest")


def test_clients_take_turns():
    """Fault 48."""
    schedule = made()
    running = schedule.admit("first")
    places = {name: schedule.admit(name[0]) for name in ("a1", "a2", "a3", "b1", "c1", "c2")}
    order = []
    assert {name: position(t) for name, t in places.items()} == {
        "a1": 1,
        "b1": 2,
        "c1": 3,
        "a2": 4,
        "c2": 5,
        "a3": 6,
    }
    while places:
        leave(running)
        (name,) = (name for name, place in places.items() if place.may_run)
        order.append(name)
        running = places.pop(name)
    assert order == ["a1", "b1", "c1", "a2", "c2", "a3"]


def run_out(schedule, running, places) -> list[str]:
    """Return the names of places in the order of their turns, as one job after the other ends."""
    places, order = dict(places), []
    while places:
        promised = {name: position(place) for name, place in places.items()}
        leave(running)
        (name,) = (name for name, place in places.items() if place.may_run)
        assert promised[name] == 1
        order.append(name)
        running = places.pop(name)
    return order


def test_who_has_just_had_a_turn_is_behind_the_others():
    """sv6: a greedy client's a1 runs, a2 and a3 wait; b comes and has its turn next, not behind a2."""
    schedule = made()
    running = schedule.admit("a")
    places = {name: schedule.admit(name[0]) for name in ("a2", "a3", "b1")}
    assert {name: position(place) for name, place in places.items()} == {"b1": 1, "a2": 2, "a3": 3}
    assert run_out(schedule, running, places) == ["b1", "a2", "a3"]


def test_key_has_one_turn_whatever_addresses_it_comes_from():
    """sv6, variant: one key from many computers, and one from a single one."""
    schedule = made(max_queue=100)
    running = schedule.admit("greedy", "10.0.0.0")
    places = {f"greedy {n}": schedule.admit("greedy", f"10.0.0.{n}") for n in range(1, 5)}
    places |= {f"modest {n}": schedule.admit("modest", "10.0.1.1") for n in range(2)}
    assert run_out(schedule, running, places) == [
        "modest 0",
        "greedy 1",
        "modest 1",
        "greedy 2",
        "greedy 3",
        "greedy 4",
    ]


def test_addresses_of_one_key_take_turns():
    schedule = made(max_queue=100)
    running = schedule.admit("key", "x")
    places = {name: schedule.admit("key", name[0]) for name in ("x1", "x2", "y1", "y2")}
    assert run_out(schedule, running, places) == ["y1", "x1", "y2", "x2"]


def test_client_that_comes_again_and_again_does_not_pass_others():
    """sv6, variant: always one job at a time, the next one as soon as one has ended."""
    schedule = made()
    running = schedule.admit("a")
    waiting = schedule.admit("b")
    again = schedule.admit("a")
    leave(running)
    assert waiting.may_run
    leave(waiting)
    assert again.may_run


def test_one_key_cannot_fill_the_queue_from_many_addresses():
    """sv6, variant: places to wait are shared by keys."""
    schedule = Schedule(lambda: 1, 8, 4, 4)
    for number in range(5):
        schedule.admit("greedy", f"10.0.0.{number}")
    with pytest.raises(BusyError):
        schedule.admit("greedy", "10.0.0.9")
    schedule.admit("modest", "10.0.0.9")


def test_positions_agree_with_the_order_whoever_comes_and_goes():
    schedule = made(max_queue=100, share=100)
    running = schedule.admit("x")
    places = {(c, n): schedule.admit(c) for n in range(4) for c in "abcd" if (ord(c) + n) % 3}
    leave(places.pop(("a", 3)))
    while places:
        promised = {name: position(place) for name, place in places.items()}
        assert sorted(promised.values()) == list(range(1, len(places) + 1))
        leave(running)
        (name,) = (name for name, place in places.items() if place.may_run)
        assert promised[name] == 1
        running = places.pop(name)


def test_job_that_leaves_the_queue_lets_others_move_up():
    schedule = made()
    schedule.admit("a")
    second, third = schedule.admit("a"), schedule.admit("a")
    leave(second)
    assert position(third) == 1
    leave(third)
    assert schedule.waiting == 0


def test_gained_slots_are_given_out():
    slots = 1
    schedule = Schedule(lambda: slots, 8, 8)
    schedule.admit("a")
    waiting = schedule.admit("a")
    slots = 2
    schedule.refresh()
    assert waiting.may_run


def test_stopping_sends_waiting_jobs_away_and_lets_running_ones_be():
    schedule = made()
    running, waiting = schedule.admit("a"), schedule.admit("a")
    schedule.stop()
    with pytest.raises(BusyError):
        position(waiting)
    with pytest.raises(BusyError):
        schedule.admit("a")
    assert position(running) == 0


def test_job_that_is_given_up_in_the_moment_of_a_change_ends():
    async def main() -> bool:
        schedule = made()
        _, waiting, other = (schedule.admit("a") for _ in range(3))

        async def wait() -> None:
            async for _ in waiting.positions():
                pass

        job = asyncio.create_task(wait())
        for _ in range(5):
            await asyncio.sleep(0)  # until it waits
        leave(other)
        job.cancel()
        await asyncio.wait((job,), timeout=60)
        return job.cancelled()

    assert asyncio.run(main())
