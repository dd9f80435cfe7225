"""Segmenter that sends its requests to a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from textsegment.client.address import Address, checked_key
from textsegment.client.background import BackgroundCall, run_in_background
from textsegment.client.job import RemoteJob
from textsegment.client.request import PreparedCorrection, PreparedRequest, VolumeIdentities
from textsegment.client.retry import RetryPolicy
from textsegment.client.transport import Timeouts, Transport, no_server
from textsegment.correction import Correction, Edit
from textsegment.doubt import Calibration
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import (
    InputError,
    PromptError,
    RequestError,
    SettingsError,
    TextSegmentError,
    VolumeUnknownError,
)
from textsegment.geometry import Box
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, EventCallback, ModelInfo, ignore_events
from textsegment.volume import Volume
from textsegment.wire.contract import CALIBRATION_HEADER, FEATURES_HEADER, INFO_ROUTE
from textsegment.wire.messages import ServerInfo
from textsegment.wire.volumes.header import Encoding

_MAX_INFO_BYTES = 2**24


class RemoteSegmenter:
    """Segmenter that computes on a TextSegment server.

    A volume is uploaded if the server does not have it: voxels, affine and modality, nothing else. Failed
    requests are retried where that is safe. Instances may be used from several threads at once.

    >>> with RemoteSegmenter("https://gpu.example.org", key) as segmenter:
    ...     result = segmenter.segment(volume, ["liver", "left kidney"], on_event=print)

    Args:
        url: Address of the server, such as ``http://127.0.0.1:8000``.
        key: Access key of the server; None if it needs none.
        timeouts: Time limits; None for the defaults.
        proxies: Proxies by scheme, such as ``{"https": "http://proxy:3128"}``; None for those of the
            environment. No proxy is ever used for a server on this computer.
        ca_file: PEM file of the only certificate authorities to trust; None for the default ones.
            Certificates are always verified.
        allow_plain_http: Whether key and scans may be sent to another computer unencrypted.

    Raises:
        SettingsError: The address, key or CA file cannot be used or would be unsafe.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeouts: Timeouts | None = None,
        proxies: Mapping[str, str] | None = None,
        ca_file: Path | str | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        self._address = Address(url, allow_plain_http=allow_plain_http)
        self._key = checked_key(key)
        self._timeouts = timeouts or Timeouts()
        self._proxies = self._address.proxies(proxies)
        self._ca_file = ca_file
        self._known: ServerInfo | None = None
        self._identities = VolumeIdentities()
        self._idle: list[Transport] = []
        self._lent: set[Transport] = set()
        self._is_closed = False
        self._lock = threading.Lock()
        with self._transport():  # fails early on an unreadable CA file
            pass

    def __repr__(self) -> str:
        return f"RemoteSegmenter({self._address.url!r})"

    @property
    def address(self) -> Address:
        """Address to which scans are sent; consent to send them applies to this address only."""
        return self._address

    def __enter__(self) -> RemoteSegmenter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, from any thread; running jobs end with ``CancelledError``."""
        with self._lock:
            self._is_closed = True
            transports = [*self._idle, *self._lent]
            self._idle.clear()
        for transport in transports:
            transport.close()

    def info(self) -> ModelInfo:
        """Return a description of the server's model, queried on every call; see ``Segmenter.info``."""
        return self.server_info().model

    def server_info(self) -> ServerInfo:
        """Query the server's description, which also tests address, certificate, key and protocol version.

        Raises:
            ServerUnreachableError: No connection, or not a TextSegment server; subclasses are TlsError and
                ServerTimeoutError.
            UnauthorizedError: The key is missing or wrong.
            VersionMismatchError: The server uses another version of the protocol.
            TextSegmentError: Any other failure, such as missing weights.
        """
        with self._transport() as transport:
            return self._ask_info(transport)

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment every prompt in the volume on the server; see ``Segmenter.segment``.

        In addition to the stages of the engine, progress events may have the stage ``"uploading"`` or, for a
        busy server, ``"waiting"``. ``cancel`` takes effect within 100 ms, regardless of the network.
        """

        def prepared() -> PreparedRequest:
            return PreparedRequest(
                Request.of(volume, prompts, effort), self._identities.of(volume), self._encoding
            )

        return self._run(prepared, on_event, cancel)

    def correct(
        self,
        volume: Volume,
        *,
        edits: Sequence[Edit],
        base: StructureMask | None = None,
        prompt: Prompt | str | None = None,
        name: str = "",
        within: Box | None = None,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> StructureMask:
        """Carry edits to the rest of the image on the server; see ``Segmenter.correct``."""

        def prepared() -> PreparedCorrection:
            correction = Correction.of(volume, edits, base=base, prompt=prompt, name=name, within=within)
            return PreparedCorrection(correction, self._identities.of(volume), self._encoding)

        (mask,) = self._run(prepared, on_event, cancel)
        return mask

    @property
    def _encoding(self) -> Encoding:
        return Encoding.RAW if self._address.is_loopback else Encoding.DEFLATED

    def _run(
        self,
        prepared: Callable[[], PreparedRequest | PreparedCorrection],
        on_event: EventCallback,
        cancel: CancelToken | None,
    ) -> Segmentation:
        """Prepare a request in a thread, and run it."""
        with self._transport() as transport:

            def work(call: BackgroundCall) -> Segmentation:
                request = prepared()
                retry = RetryPolicy(self._timeouts.recovery_s, self._timeouts.busy_s, call.pause)
                info = self._require_accepted(request, transport, retry)
                job = RemoteJob(
                    request,
                    transport,
                    retry,
                    call.emit,
                    wants_estimate="estimate" in info.features,
                    wants_details="details" in info.features,
                )
                return job.run()

            return run_in_background(work, on_event, cancel or CancelToken(), transport.cut)

    def _require_accepted(
        self, request: PreparedRequest | PreparedCorrection, transport: Transport, retry: RetryPolicy
    ) -> ServerInfo:
        known = self._known  # another thread may reset it meanwhile
        if known is not None:
            try:
                request.require_accepted(known)
                return known
            except (InputError, PromptError):
                self._known = None  # the server may have changed its model meanwhile
        while True:
            try:
                info = self._ask_info(transport)
                break
            except TextSegmentError as error:
                retry.wait_or_raise(error)
        retry.reached()
        request.require_accepted(info)
        return info

    def _ask_info(self, transport: Transport) -> ServerInfo:
        try:
            with transport.ask("GET", INFO_ROUTE) as answer:
                body = answer.body(_MAX_INFO_BYTES)
                features = (answer.header(FEATURES_HEADER) or "").split(",")
                calibration = Calibration.from_text(answer.header(CALIBRATION_HEADER) or "")
        except VolumeUnknownError as error:  # 404: the route does not exist
            raise no_server(self._address.url) from error
        try:
            known = ServerInfo.from_json(body)
        except RequestError as error:
            raise no_server(self._address.url) from error
        known = replace(
            known,
            model=replace(known.model, calibration=calibration),
            features=tuple(name.strip() for name in features),
        )
        self._known = known
        return known

    @contextmanager
    def _transport(self) -> Iterator[Transport]:
        """Lend a transport; one that failed is not reused."""
        transport = self._lend()
        try:
            yield transport
        except BaseException:
            with self._lock:
                self._lent.discard(transport)
            transport.close()
            raise
        with self._lock:
            self._lent.discard(transport)
            if not self._is_closed:
                self._idle.append(transport)

    def _lend(self) -> Transport:
        with self._lock:
            if self._is_closed:
                raise SettingsError("This client was closed.")
            if self._idle:
                transport = self._idle.pop()
            else:
                transport = Transport(self._address, self._key, self._timeouts, self._proxies, self._ca_file)
            self._lent.add(transport)
        return transport
