"""Corrections by a user's own nnInteractive server."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.client.address import Address, checked_key
from textsegment.client.background import BackgroundCall, run_in_background
from textsegment.correction import Correction, Edit
from textsegment.correction.result import finished
from textsegment.errors import EngineLostError, SettingsError, VersionMismatchError
from textsegment.geometry import Box
from textsegment.nninteractive.failures import SessionLostError, explained
from textsegment.nninteractive.prompts import PromptKind, SpatialPrompt, prompts_of
from textsegment.prompt import Prompt
from textsegment.segmentation import StructureMask
from textsegment.segmenter import (
    CancelToken,
    EventCallback,
    MaskReady,
    ModelInfo,
    Progress,
    ignore_events,
)
from textsegment.volume import Volume

KEY_VARIABLE = "NN_INTERACTIVE_API_KEY"
"""Environment variable with the key of an nnInteractive server, by that program's own convention."""

# Types of voxels that PyTorch has had for long; others are sent as float32, which the network computes in.
_SENT_AS_THEY_ARE = ("uint8", "int16", "int32", "float32")
_UNKNOWN_TERMS = ("", "!!MISSING!!")
_READ_TIMEOUT_S = 300.0


@dataclass(eq=False)
class _Session:
    """A session on the server, with the image that it holds."""

    remote: Any
    volume: Volume | None = None
    found_kji: NDArray[np.uint8] | None = None


class NNInteractiveCorrector:
    """Corrects masks on an nnInteractive server, by the same call as ``Segmenter.correct``.

    nnInteractive takes prompts that are drawn and knows no words: a prompt only names the structure, and a
    mask that is to be mended has to be given. The image goes to the server once, and stays in its session
    until the corrector is closed, another image is corrected, or the server gives the session up; voxels and
    masks are sent, nothing else. The weights of the server are whoever runs it's own; the published ones are
    for non-commercial use.

    Needs the extra ``nninteractive``. Requests are answered one at a time.

    Args:
        url: Address of the server, such as ``http://127.0.0.1:1527``.
        key: Key of the server; None to take that of ``NN_INTERACTIVE_API_KEY``, if there is one.
        allow_plain_http: Whether key and image may be sent to another computer unencrypted.

    Raises:
        SettingsError: Address or key cannot be used or would be unsafe.

    Example:
        >>> with NNInteractiveCorrector("http://127.0.0.1:1527") as corrector:  # doctest: +SKIP
        ...     mended = corrector.correct(volume, edits=edits, base=result["liver"])
    """

    def __init__(self, url: str, key: str | None = None, *, allow_plain_http: bool = False) -> None:
        self._address = Address(url, allow_plain_http=allow_plain_http)
        if self._address.is_loopback:
            _require_no_proxy(self._address.url)
        self._key = checked_key(key or os.environ.get(KEY_VARIABLE) or None)
        self._session: _Session | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> NNInteractiveCorrector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the session back to the server, and with it the image."""
        session, self._session = self._session, None
        if session is not None:
            session.remote.close()

    def info(self) -> ModelInfo:
        """Return a description of the server's model, which offers no structures by name.

        Raises:
            TextSegmentError: The server cannot be used; see ``correct``.
        """
        with self._turn, explained(self._address.url):
            version = self._opened().remote.INFERENCE_SESSION_VERSION
        return ModelInfo(f"nnInteractive {version}", "", "", {})

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
        """Carry edits to the rest of the image; see ``Segmenter.correct``.

        The prompt is the name of the structure if there is no other, and nothing more.

        Raises:
            DependencyMissingError: The client of nnInteractive is not installed.
            ServerUnreachableError: No connection could be made; subclasses are TlsError and
                ServerTimeoutError.
            UnauthorizedError: The key is missing or wrong.
            BusyError: All sessions of the server are in use.
            VersionMismatchError: The server is another program, another version of it, or its model does not
                take what is needed.
            EditError: As for ``Segmenter.correct``.
            TextSegmentError: Any other failure, as one of its subclasses.
        """
        asked = Prompt(prompt) if isinstance(prompt, str) else prompt
        spoken = name or ("" if asked is None else asked.text)
        correction = Correction.of(volume, edits, base=base, name=spoken, within=within)

        def work(call: BackgroundCall) -> StructureMask:
            with self._turn:
                try:
                    return self._corrected(correction, call)
                except SessionLostError:
                    self.close()  # the server has dropped it: once more, with a new one
                try:
                    return self._corrected(correction, call)
                except SessionLostError:
                    raise EngineLostError(
                        "The nnInteractive server gives up its sessions.", "Ask whoever runs it."
                    ) from None

        mask = run_in_background(work, on_event, cancel or CancelToken(), self._leave)
        on_event(MaskReady(mask))
        return mask

    def _leave(self) -> None:
        """Give the session up while another thread may be using it: in a thread, since it may block."""
        threading.Thread(target=self.close, name="textsegment-nninteractive", daemon=True).start()

    def _opened(self) -> _Session:
        if self._session is None:
            self._session = _Session(_connected(self._address.url, self._key))
        return self._session

    def _corrected(self, correction: Correction, call: BackgroundCall) -> StructureMask:
        call.emit(Progress(0.0, "preparing"))
        prompts, url = prompts_of(correction), self._address.url
        with explained(url):
            session = self._opened()
            self._require_supported(session.remote, correction, prompts)
        if session.volume is not correction.volume:
            call.emit(Progress(0.05, "uploading"))
            with explained(url):
                self._send_image(session, correction.volume)
        call.emit(Progress(0.5, "decoding"))
        with explained(url):
            found = self._predicted(session, correction, prompts)
        call.emit(Progress(0.95, "finishing"))
        box = Box.around(found | _everywhere(correction))
        cut = None if box is None else found[box.slices]
        mask = finished(correction, box, cut, (_terms(session.remote),))
        call.emit(Progress(1.0, "finishing"))
        return mask

    @staticmethod
    def _require_supported(remote: Any, correction: Correction, prompts: Sequence[SpatialPrompt]) -> None:
        takes = remote.supported_interactions
        lacking = sorted({prompt.kind.value for prompt in prompts if not takes.get(prompt.kind.value)})
        if correction.base is not None and not remote.supports_initial_label:
            lacking.append("initial mask")
        if lacking:
            raise VersionMismatchError(
                f"The model of the nnInteractive server does not take this: {', '.join(lacking)}.",
                "Use another model there, or another kind of edit.",
            )

    @staticmethod
    def _send_image(session: _Session, volume: Volume) -> None:
        session.volume = None
        voxels = volume.voxels
        if voxels.dtype.name not in _SENT_AS_THEY_ARE:
            voxels = voxels.astype(np.float32)
        session.remote.set_image(_kji(voxels)[None], {})
        session.found_kji = np.zeros(voxels.shape[::-1], dtype=np.uint8)
        session.remote.set_target_buffer(session.found_kji)
        session.volume = volume

    @staticmethod
    def _predicted(
        session: _Session, correction: Correction, prompts: Sequence[SpatialPrompt]
    ) -> NDArray[np.bool_]:
        """Return what the network finds, as a boolean array ``[i, j, k]`` on the whole grid."""
        remote, found_kji = session.remote, session.found_kji
        assert found_kji is not None
        if correction.base is None or correction.base.statistics.is_empty:
            remote.reset_interactions()
        else:
            old = correction.base.full(correction.volume.geometry.spatial_shape)
            remote.add_initial_seg_interaction(_kji(old.astype(np.uint8)), run_prediction=False)
        for number, prompt in enumerate(prompts, start=1):
            _add(remote, prompt, is_last=number == len(prompts))
        return np.ascontiguousarray(found_kji.T > 0)


def _connected(url: str, key: str | None) -> Any:
    """Return a client with a session on the server."""
    from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession

    kind: Any = nnInteractiveRemoteInferenceSession
    remote = kind.__new__(kind)
    try:
        remote.__init__(url, api_key=key, read_timeout=_READ_TIMEOUT_S)
    except BaseException:
        # The client does not clean up after a constructor that failed: session and connection stay open.
        with suppress(AttributeError):
            remote.close()
        if (connections := getattr(remote, "_http", None)) is not None:
            connections.close()
        raise
    return remote


def _add(remote: Any, prompt: SpatialPrompt, *, is_last: bool) -> None:
    """Send one prompt; the network runs once all of them are there."""
    bounds_kji = [[a, b] for a, b in zip(prompt.box.start, prompt.box.stop, strict=True)][::-1]
    if prompt.kind is PromptKind.POINT:
        remote.add_point_interaction([a for a, _ in bounds_kji], prompt.belongs, run_prediction=is_last)
    elif prompt.kind is PromptKind.BOX:
        remote.add_bbox_interaction(bounds_kji, prompt.belongs, run_prediction=is_last)
    else:
        is_lasso = prompt.kind is PromptKind.LASSO
        add = remote.add_lasso_interaction if is_lasso else remote.add_scribble_interaction
        marked_kji = _kji(prompt.marked.astype(np.uint8))
        add(marked_kji, prompt.belongs, run_prediction=is_last, interaction_bbox=bounds_kji)


def _kji(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array ``[i, j, k]`` in the order of the images that nnInteractive was trained on."""
    return np.ascontiguousarray(array.T)


def _everywhere(correction: Correction) -> NDArray[np.bool_]:
    """Return the voxels of the old mask and of what was drawn, on the whole grid."""
    whole = Box((0, 0, 0), correction.volume.geometry.spatial_shape)
    _, inside = correction.known_in(whole)
    return correction.base_in(whole) | inside


def _require_no_proxy(url: str) -> None:
    """Check that the client of nnInteractive, which asks the environment, uses no proxy for this computer."""
    parts = urlsplit(url)
    if {"all", parts.scheme} & set(getproxies()) and not proxy_bypass(parts.hostname or ""):
        raise SettingsError(
            "A proxy is set for all addresses, and the image would go through it.",
            "Set the environment variable NO_PROXY to localhost,127.0.0.1.",
        )


def _terms(remote: Any) -> Caution:
    said = str(remote.license or "").strip()
    terms = "unknown" if said in _UNKNOWN_TERMS else said[:100]
    return Caution("by_nninteractive", terms=terms)
