"""The progress of a run in words: what it is doing, how long it takes, and what it costs."""

from __future__ import annotations

from slicer.i18n import tr as _
from textsegment.segmenter import Estimated

from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.panel.numbers import number
from TextSegmentLib.scene.results.rows import RunState
from TextSegmentLib.scene.run.run import Run

_GIB = 2**30
_MINUTE_S, _HOUR_S = 60, 3600


def progress_of(run: Run) -> str:
    """Return the progress of a run as one or two lines; the second one says what the run costs."""
    if not run.is_active:
        return _end(run)
    lines = [_now(run)]
    if run.estimate is not None and run.estimate.patches:
        lines.append(cost_of(run.estimate))
    return "\n".join(lines)


def progress_of_correction(run: CorrectionRun) -> str:
    """Return the progress of a correction in one line."""
    text = _("Correcting {name}: {stage}, {time}")
    return text.format(name=run.order.segment.name, stage=_stage(run.stage), time=_time(run.elapsed_s))


def cost_of(estimate: Estimated) -> str:
    """Return the cost of a job, such as "3 patches, about 12 s, 1.1 GiB of memory"."""
    count = estimate.patches
    parts = [_("1 patch") if count == 1 else _("{count} patches").format(count=count)]
    if estimate.seconds is not None:
        parts.append(_("about {time}").format(time=roughly(estimate.seconds)))
    parts.append(_("{gib} GiB of memory").format(gib=number(estimate.memory_bytes / _GIB, 1)))
    return ", ".join(parts)


def roughly(seconds: float) -> str:
    """Return a duration as an estimate deserves: seconds, minutes, or hours and minutes."""
    if seconds < 1.5 * _MINUTE_S:
        return _("{seconds} s").format(seconds=max(round(seconds), 1))
    minutes = round(seconds / _MINUTE_S)
    if seconds < 1.5 * _HOUR_S:
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)


def _now(run: Run) -> str:
    time, rows = _time(run.elapsed_s), run.rows
    if run.state is RunState.QUEUED and run.queue_position:
        return _("Waiting, jobs before this one: {count}, {time}").format(count=run.queue_position, time=time)
    text = _("{stage}, {done} of {all} structures, {time}").format(
        stage=_stage(run.stage), done=_done(run), all=len(rows), time=time
    )
    left = run.seconds_left
    return text if left is None else _("{text}, about {left} left").format(text=text, left=roughly(left))


def _end(run: Run) -> str:
    ends = {
        RunState.DONE: _("Done: {done} of {all} structures in {time}"),
        RunState.FAILED: _("Stopped after {time}: {done} of {all} structures"),
        RunState.CANCELLED: _("Cancelled after {time}: {done} of {all} structures"),
    }
    return ends[run.state].format(done=_done(run), all=len(run.rows), time=_time(run.elapsed_s))


def _done(run: Run) -> int:
    return sum(row.state.value != "waiting" for row in run.rows)


def _stage(stage: str) -> str:
    known = {
        "": _("Beginning"),
        "uploading": _("Sending the image"),
        "waiting": _("Waiting for the server"),
        "preparing": _("Preparing the image"),
        "encoding": _("Looking at the image"),
        "decoding": _("Finding structures"),
        "finishing": _("Finishing"),
    }
    return known.get(stage, stage)


def _time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), _MINUTE_S)
    text = _("{minutes} min {seconds} s") if minutes else _("{seconds} s")
    return text.format(minutes=minutes, seconds=rest)
