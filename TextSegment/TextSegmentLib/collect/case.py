"""A case for training: a scan and its accepted segments in a folder of its own, whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import OutputError
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.structures import find_structure

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.collect.nrrd import write_scan, write_segment
from TextSegmentLib.collect.pseudonym import patient_of, pseudonym
from TextSegmentLib.export.regions import list_regions, take_region
from TextSegmentLib.scene.results.rows import ResultRow
from TextSegmentLib.scene.volume_node import read_volume_node

RECORD = "case.json"
_FORMAT = "textsegment-collected-case"


class CollectedCase:
    """Writes the accepted segments of a scan with the scan, in the background, as soon as it is created.

    A case that was collected from the same scan before is replaced. Names of patients, of nodes and of files
    are neither read nor written; segments are written under names of the vocabulary, and those that the user
    calls otherwise are left out, since free text may say anything.

    Args:
        volume_node: The scan.
        segmentation_node: Segmentation with the segments.
        rows: Rows of the segments to write.
        folder: Folder of collected cases, which has to exist.

    Attributes:
        left_out: Number of rows that are left out for their names.

    Raises:
        OutputError: The folder does not exist, no segment has a name of the vocabulary, or one is gone.
        VolumeInvalidError: The volume is not a scan.
    """

    def __init__(
        self, volume_node: Any, segmentation_node: Any, rows: Sequence[ResultRow], folder: Path
    ) -> None:
        if not folder.is_dir():
            raise OutputError(
                _("The folder for collected cases is not there."), _("Choose another one, or make it.")
            )
        self._folder, self._rows = folder, {row.segment_id: row for row in rows}
        self._volume = read_volume_node(volume_node)
        self._patient = patient_of(volume_node)
        regions = [
            region
            for region in list_regions(segmentation_node)
            if region.segment_id in self._rows and find_structure(region.structure) is not None
        ]
        if not regions:
            raise OutputError(
                _("The accepted structures have names of your own."), _("Give them names of the vocabulary.")
            )
        self.left_out = len(self._rows) - len(regions)
        self._sources = [take_region(segmentation_node, volume_node, region) for region in regions]
        self._task = BackgroundTask(lambda _report, _cancel: self._write()).start()

    @property
    def is_over(self) -> bool:
        """Whether the case is written, or has failed."""
        return self._task.is_over

    def result(self) -> Path:
        """Return the folder of the case, once it is written.

        Raises:
            OutputError: It cannot be written, or the segments are empty.
            VolumeInvalidError: Scan or segment were changed meanwhile.
        """
        return self._task.result()

    def _write(self) -> Path:
        modality = next(iter(self._rows.values())).modality
        scan = pseudonym(f"scan {self._volume.to_volume(modality).digest}")
        masks = [(source.region, source.to_mask(self._volume.geometry)) for source in self._sources]
        for source in self._sources:
            source.require_unchanged()
        self._volume.require_unchanged()
        masks = [(region, mask) for region, mask in masks if not mask.statistics.is_empty]
        if not masks:
            raise OutputError(_("The accepted structures are empty."), _("Accept others."))
        final = self._folder / f"case_{scan}"
        if final.exists() and not _is_ours(final):
            raise OutputError(_("The folder of the case holds something else."), _("Choose another folder."))
        draft = self._folder / f".draft_{secrets.token_hex(8)}"
        try:
            draft.mkdir()
            write_scan(draft / "scan.nrrd", self._volume.voxels_kji, self._volume.geometry)
            for number, (_region, mask) in enumerate(masks, start=1):
                write_segment(draft / f"segment_{number}.seg.nrrd", mask, self._volume.geometry)
            record = self._record(
                modality, scan, [self._told(region.segment_id, mask) for region, mask in masks]
            )
            (draft / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
            self._volume.require_unchanged()
            _replace(final, draft)
        except OSError as error:
            raise OutputError(
                _("The case cannot be written."), _("Check the space and the rights of the folder.")
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return final

    def _record(self, modality: str, scan: str, segments: list[dict[str, object]]) -> dict[str, object]:
        return {
            "format": _FORMAT,
            "format_version": 1,
            "modality": modality,
            # Without an identifier of the patient, every scan counts as a patient of its own.
            "patient": self._patient or scan,
            "patient_is_known": self._patient is not None,
            "segments": segments,
        }

    def _told(self, segment_id: str, mask: StructureMask) -> dict[str, object]:
        row = self._rows[segment_id]
        return {"name": mask.structure, "state": str(row.state.value), "model": row.model}


def _is_ours(folder: Path) -> bool:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return bool(record["format"] == _FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _replace(final: Path, draft: Path) -> None:
    """Put a draft in the place of a case; should that fail in the middle, the older case comes back."""
    if not final.exists():
        draft.rename(final)
        return
    older = final.with_name(f".older_{secrets.token_hex(8)}")
    final.rename(older)
    try:
        draft.rename(final)
    except OSError:
        older.rename(final)
        raise
    shutil.rmtree(older, ignore_errors=True)
