"""Exports that are sent to an archive."""

import socket
from pathlib import Path

import pydicom
import pytest
from textsegment.errors import (
    DestinationUnreachableError,
    SettingsError,
)
from TextSegmentLib.export.destinations import typed_destination
from TextSegmentLib.export.request import ExportRequest, Format


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize("kind", Format)
def test_an_export_is_sent_to_an_archive(case, archive, tmp_path, kind, with_file):
    folder, place = archive
    path = tmp_path / "plan" if with_file else Path()
    wish = ExportRequest(kind, path, destination=typed_destination(f"ARCHIVE@{place}"))
    exported = case.export(wish)
    assert exported.sent_to == f"ARCHIVE@{place}"
    assert exported.not_sent is None
    (arrived,) = folder.iterdir()
    found = pydicom.dcmread(arrived)
    assert found.ApprovalStatus == "UNAPPROVED" if kind is Format.STRUCTURE_SET else found.Modality == "SEG"
    if with_file:
        assert pydicom.dcmread(exported.file).SOPInstanceUID == found.SOPInstanceUID
    else:
        assert exported.file is None


def test_a_destination_that_cannot_be_reached_loses_nothing(case, tmp_path):
    with socket.socket() as listener:  # bound, but not listening
        listener.bind(("127.0.0.1", 0))
        nobody = typed_destination(f"ARCHIVE@127.0.0.1:{listener.getsockname()[1]}")
        written = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", destination=nobody))
        assert isinstance(written.not_sent, DestinationUnreachableError)
        assert len(case.read(written.file)) == 3
        with pytest.raises(DestinationUnreachableError):
            case.export(ExportRequest(Format.STRUCTURE_SET, Path(), destination=nobody))


@pytest.mark.parametrize(
    "text",
    ["ARCHIVE", "ARCHIVE@host", "@host:104", "ARCHIVE@host:0", "ftp://host/x", "https://me:secret@host"],
)
def test_destinations_that_are_not_understood(text):
    with pytest.raises(SettingsError, match="not understood"):
        typed_destination(text)


def test_destinations_are_understood():
    typed = typed_destination(" ARCHIVE@[::1]:104 ")
    assert (typed.table["ae_title"], typed.table["host"], typed.table["port"]) == ("ARCHIVE", "::1", 104)
    web = typed_destination("https://pacs.example.org/dicom-web")
    assert web.is_web
    assert web.table["url"] == "https://pacs.example.org/dicom-web"
