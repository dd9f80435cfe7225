"""DICOMweb: queries for series, fetches them, and stores results (QIDO-RS, WADO-RS, STOW-RS)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from textsegment.errors import (
    DestinationRefusedError,
    DestinationUnreachableError,
    InputUnreadableError,
    ServerUnreachableError,
    StreamBrokenError,
    TextSegmentError,
    TlsError,
    UnauthorizedError,
)
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.values import DAMAGE
from textsegment.node.connections import Poll, Web, WebDestination
from textsegment.node.intake import IMAGE_CLASSES, MODALITIES
from textsegment.node.network.web_session import open_session

_PAGE = 200
_COUNT = "NumberOfSeriesRelatedInstances"
# As stored, without conversion to another transfer syntax.
_AS_STORED = (("application/dicom", "*"),)


@dataclass(frozen=True)
class FoundSeries:
    """A series that a query has found.

    Attributes:
        study_uid: Study instance UID.
        series_uid: Series instance UID.
        images: Number of its instances; None if the service does not say.
    """

    study_uid: str
    series_uid: str
    images: int | None


class WebArchive:
    """A DICOMweb service. It only reads and adds: nothing is ever deleted or changed there.

    Args:
        web: Its address and credentials.

    Raises:
        SettingsError: A file with credentials cannot be read.
    """

    def __init__(self, web: Web) -> None:
        self._name = web.name
        # Addresses contain identifiers of studies.
        logging.getLogger("dicomweb_client").setLevel(logging.CRITICAL + 1)
        self._client = DICOMwebClient(web.url, session=open_session(web), timeout=web.timeout_s)
        self._client.set_http_retry_params(retry=False)

    def find_series(self, poll: Poll) -> Iterator[FoundSeries]:
        """Yield the series of images that a query finds.

        Raises:
            TextSegmentError: The service cannot be reached, or refuses.
        """
        # Orthanc's plugin does not find values with encoded spaces; a question mark stands for any character.
        query = {key: text.replace(" ", "?") for key, text in poll.query.items()}
        of_series = {key: text for key, text in query.items() if key in _SERIES_KEYS}
        of_study = {key: text for key, text in query.items() if key not in _SERIES_KEYS}
        if poll.days:
            first = date.today() - timedelta(days=poll.days - 1)
            of_study.setdefault("StudyDate", f"{first:%Y%m%d}-")
        for study in self._all(self._client.search_for_studies, search_filters=of_study):
            uid = _value(study, "StudyInstanceUID")
            found = self._all(
                self._client.search_for_series,
                study_instance_uid=uid,
                search_filters=of_series,
                fields=[_COUNT],
            )
            for series in found:
                if _value(series, "Modality") in MODALITIES:
                    count = _value(series, _COUNT)
                    yield FoundSeries(uid, _value(series, "SeriesInstanceUID"), int(count) if count else None)

    def count(self, study_uid: str, series_uid: str) -> int | None:
        """Return the number of instances of a series; None if the service does not know the series.

        Raises:
            TextSegmentError: The service cannot be reached, or refuses.
        """
        with self._typed():
            found = self._client.search_for_series(
                study_uid, search_filters={"SeriesInstanceUID": series_uid}, fields=[_COUNT]
            )
        count = _value(found[0], _COUNT) if found else ""
        return int(count) if count.isdigit() else None

    def images(self, series: FoundSeries) -> frozenset[str]:
        """Return the identifiers of all images of a series, as opposed to other objects in it.

        Raises:
            TextSegmentError: The service cannot be reached, or refuses.
        """
        found = self._all(
            self._client.search_for_instances,
            study_instance_uid=series.study_uid,
            series_instance_uid=series.series_uid,
            fields=["SOPClassUID"],
        )
        return frozenset(
            _value(item, "SOPInstanceUID") for item in found if _value(item, "SOPClassUID") in IMAGE_CLASSES
        )

    def fetch(self, series: FoundSeries, images: frozenset[str]) -> Iterator[bytes]:
        """Yield images of a series, each as a file.

        Args:
            series: The series.
            images: Identifiers of the images.

        Raises:
            StreamBrokenError: The answer ends early, or lacks images.
            TextSegmentError: The service cannot be reached, or refuses.
        """
        wanted = set(images)
        with self._typed():
            found = self._client.iter_series(series.study_uid, series.series_uid, media_types=_AS_STORED)
        while True:
            with self._typed():  # not around the yield: errors of the caller are its own
                dataset = next(found, None)
                if dataset is None:
                    break
                image, content = str(dataset.get("SOPInstanceUID") or ""), _as_file(dataset)
            if image in wanted:
                wanted.discard(image)
                yield content
        if wanted:
            raise StreamBrokenError(
                f"{self._name} did not send all images of a series.", "It is tried again."
            )

    def structure_sets(self, study_uid: str) -> tuple[Dataset, ...]:
        """Return all RT structure sets of a study.

        Raises:
            TextSegmentError: The service cannot be reached, or refuses.
        """
        with self._typed():
            found = self._client.search_for_series(study_uid, search_filters={"Modality": "RTSTRUCT"})
            return tuple(
                dataset
                for series in found
                for dataset in self._client.iter_series(
                    study_uid, _value(series, "SeriesInstanceUID"), media_types=_AS_STORED
                )
            )

    def store(self, path: Path) -> None:
        """Store a DICOM file.

        Raises:
            DestinationRefusedError: The service refuses the file.
            DestinationUnreachableError: The service cannot be reached.
            InputUnreadableError: The file is no DICOM file.
        """
        try:
            with quiet_pydicom():
                dataset = read_dataset(path)
        except (InvalidDicomError, *DAMAGE) as error:
            raise InputUnreadableError("The file to send is no DICOM file.", "Write it again.") from error
        try:
            with self._typed(), quiet_pydicom():
                answer = self._client.store_instances([dataset])
        except (ServerUnreachableError, StreamBrokenError) as error:
            raise DestinationUnreachableError(error.message, error.hint) from error
        except TextSegmentError as error:
            raise DestinationRefusedError(error.message, error.hint) from error
        # Services answer with an empty sequence if nothing failed.
        if failed := list(answer.get("FailedSOPSequence") or ()):
            reason = int(failed[0].get("FailureReason") or 0)
            raise DestinationRefusedError(
                f"{self._name} refused the object: reason {reason:04X}H.", "See its log."
            )
        stored = {
            str(item.get("ReferencedSOPInstanceUID")) for item in answer.get("ReferencedSOPSequence") or ()
        }
        if str(dataset.SOPInstanceUID) not in stored:
            raise DestinationRefusedError(f"{self._name} does not confirm the object.", "See its log.")

    def _all(self, search: Callable[..., list[Any]], **criteria: Any) -> Iterator[Any]:
        """Yield all answers of a query, page by page."""
        offset, seen = 0, set[str]()
        while True:
            with self._typed():
                page = search(**criteria, limit=_PAGE, offset=offset)
            # Services that ignore the offset send the first page again.
            fresh = {str(sorted(item.items(), key=str)): item for item in page}
            fresh = {key: item for key, item in fresh.items() if key not in seen}
            seen |= fresh.keys()
            yield from fresh.values()
            offset += len(page)
            if len(page) < _PAGE or not fresh:
                return

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """Turn errors of the libraries into typed ones, which contain neither addresses nor identifiers."""
        try:
            with quiet_pydicom():
                yield
        except requests.exceptions.SSLError as error:
            raise TlsError(
                f"{self._name}: its identity cannot be verified.", "Check url and ca_file."
            ) from error
        except requests.HTTPError as error:
            raise _of_status(self._name, error) from error
        except requests.RequestException as error:
            raise ServerUnreachableError(
                f"{self._name} cannot be reached.", "Check url and whether it runs."
            ) from error
        except (InvalidDicomError, *DAMAGE) as error:
            raise StreamBrokenError(
                f"{self._name} sent what cannot be read.", "It is tried again."
            ) from error


_SERIES_KEYS = {
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "BodyPartExamined", "ProtocolName",
    "PerformedProcedureStepStartDate", "StationName", "Manufacturer",
}  # fmt: skip


def store_files(
    paths: Sequence[Path], destination: WebDestination, on_delivered: Callable[[Path], None]
) -> None:
    """Store DICOM files in a DICOMweb service; see ``WebArchive.store``.

    Args:
        paths: Files.
        destination: Destination.
        on_delivered: Called with each file that the service has taken.
    """
    archive = WebArchive(destination)
    for path in paths:
        archive.store(path)
        on_delivered(path)


def _value(item: dict[str, Any], keyword: str) -> str:
    """Return the first value of an attribute in the answer to a query; empty if there is none."""
    found = item.get(f"{pydicom.datadict.tag_for_keyword(keyword):08X}") or {}
    return str((found.get("Value") or [""])[0])


def _as_file(dataset: Dataset) -> bytes:
    with BytesIO() as stream:
        dataset.save_as(stream, enforce_file_format=True)
        return stream.getvalue()


def _of_status(name: str, error: requests.HTTPError) -> TextSegmentError:
    status = error.response.status_code if error.response is not None else 0
    if status in (401, 403):
        return UnauthorizedError(f"{name} refuses access.", "Check user, password or token.")
    if status >= 500 or status in (408, 429):
        return ServerUnreachableError(f"{name} is not able to answer: status {status}.", "See its log.")
    return TextSegmentError(f"{name} answered with status {status}.", "Check url and query.")
