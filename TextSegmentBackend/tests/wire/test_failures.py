import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import error_or_none

from textsegment import errors
from textsegment.caution import Caution
from textsegment.errors import (
    BusyError,
    LimitExceededError,
    RateLimitedError,
    RequestError,
    StreamBrokenError,
    TextSegmentError,
    UnauthorizedError,
    UnknownStructureError,
    VolumeUnknownError,
)
from textsegment.wire.failures import (
    MAX_REPORT_BYTES,
    ErrorReport,
    error_classes,
    error_from_answer,
    status_of,
)
from textsegment.wire.frames import Failed, encode_frame, split_frame, without_details

STATUS = {
    "internal": 500,
    "input_invalid": 422,
    "volume_invalid": 422,
    "geometry_invalid": 422,
    "modality_unsupported": 422,
    "limit_exceeded": 413,
    "prompt_invalid": 422,
    "structure_unknown": 422,
    "request_invalid": 422,
    "checksum_mismatch": 422,
    "upload_out_of_step": 409,
    "request_timeout": 408,
    "version_mismatch": 426,
    "unauthorized": 401,
    "forbidden": 403,
    "volume_unknown": 404,
    "busy": 429,
    "rate_limited": 429,
    "storage_failed": 507,
    "out_of_memory": 507,
    "weights_missing": 503,
    "device_unavailable": 503,
    "engine_lost": 503,
}


@pytest.mark.parametrize(("code", "status"), STATUS.items())
def test_status(code, status):
    assert status_of(error_classes()[code]("message")) == status


def test_every_error_has_a_code_of_its_own():
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, TextSegmentError)]
    assert len({k.code for k in kinds}) == len(kinds) == len(error_classes())
    assert all("code" in vars(k) for k in kinds)


@pytest.mark.parametrize("kind", error_classes().values())
def test_every_error_comes_back_as_itself(kind):
    report = ErrorReport.from_error(kind("What is wrong.", "What to do."))
    again = ErrorReport.from_json(report.to_json())
    assert again == report
    error = again.to_error()
    assert type(error) is kind
    assert (error.message, error.hint) == ("What is wrong.", "What to do.")


def test_suggestions_and_seconds_come_back():
    unknown = UnknownStructureError("No.", "Perhaps:", ("left kidney", "right kidney"))
    assert ErrorReport.from_error(unknown).to_error().suggestions == ("left kidney", "right kidney")
    assert ErrorReport.from_error(RateLimitedError("No.", retry_after_s=30)).to_error().retry_after_s == 30


@given(st.text(max_size=3000), st.text(max_size=1500), st.lists(st.text(max_size=1100), max_size=25))
def test_any_text_can_be_reported(message, hint, suggestions):
    report = ErrorReport.from_error(UnknownStructureError(message, hint, tuple(suggestions)))
    assert ErrorReport.from_json(report.to_json()) == report


def test_longest_report_fits():
    text = "\U0001f600" * 2000
    report = ErrorReport.from_error(UnknownStructureError(text, text, (text,) * 30))
    assert ErrorReport.from_json(report.to_json()) == report
    with pytest.raises(RequestError):
        ErrorReport.from_json(b" " * MAX_REPORT_BYTES + report.to_json())


def test_values_of_a_message_travel_where_they_are_asked_for():
    """Pages translate by code and values; old clients get the sentence alone."""
    caution = Caution("limit_job_time", most_s=600)
    report = ErrorReport.from_error(LimitExceededError(caution, "Ask for less."))
    again = ErrorReport.from_json(report.to_json(details=True)).to_error()
    assert (again.message.code, dict(again.message.values)) == ("limit_job_time", {"most_s": 600})
    assert not isinstance(ErrorReport.from_json(report.to_json()).message, Caution)
    frame = encode_frame(Failed(report))
    assert b'"most_s":600' in frame
    assert split_frame(without_details(frame))[1] == report.to_json()


def test_code_of_a_newer_server_keeps_its_message():
    error = ErrorReport("something_new", "Message.", "Hint.").to_error()
    assert type(error) is TextSegmentError
    assert "Message." in error.message
    assert "something_new" in error.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, UnauthorizedError),
        (404, VolumeUnknownError),
        (413, LimitExceededError),
        (429, RateLimitedError),
        (503, BusyError),
        (502, StreamBrokenError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>Request Entity Too Large</html>"])
def test_page_of_a_proxy_becomes_an_error_by_its_status(status, kind, body):
    error = error_from_answer(status, body)
    assert type(error) is kind
    assert "html" not in error.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("17", 17), (None, 1), ("Wed, 21 Oct 2015 07:28:00 GMT", 1), ("9" * 9, 3600), ("-5", 1)],
)
def test_seconds_to_wait(header, seconds):
    assert error_from_answer(503, b"", header).retry_after_s == seconds


def test_report_is_preferred_to_the_status():
    body = ErrorReport.from_error(BusyError("Full.", retry_after_s=4)).to_json()
    assert error_from_answer(429, body, "99").retry_after_s == 4


@given(st.binary(max_size=200))
def test_garbage_is_typed(data):
    assert isinstance(error_or_none(lambda: ErrorReport.from_json(data)), RequestError)
