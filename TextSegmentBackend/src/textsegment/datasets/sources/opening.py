"""The single entry point for sources of labelled scans: recognises their layout."""

from __future__ import annotations

from pathlib import Path

from textsegment.datasets.source import Source
from textsegment.datasets.sources.bids import is_bids, open_bids
from textsegment.datasets.sources.described import open_described
from textsegment.datasets.sources.numbered import is_numbered, open_numbered
from textsegment.datasets.sources.results import is_results, open_results
from textsegment.datasets.sources.totalsegmentator import is_totalsegmentator, open_totalsegmentator
from textsegment.errors import InputError, InputNotFoundError

_LAYOUTS = (
    (is_numbered, open_numbered),
    (is_totalsegmentator, open_totalsegmentator),
    (is_bids, open_bids),
    (is_results, open_results),
)


def open_source(path: Path, scans: Path | None = None) -> Source:
    """Open a source of labelled scans.

    Args:
        path: A folder in the layout of the Medical Segmentation Decathlon, nnU-Net, TotalSegmentator or BIDS
            derivatives; a folder with results of this program or of 3D Slicer beside their scans; or a JSON
            file that describes scans and label maps.
        scans: Folder that the paths in a JSON file are relative to, by default that of the file.

    Raises:
        InputNotFoundError: There is no such file or folder.
        InputError: The layout is not known, or its description is damaged.
    """
    if path.is_file():
        return open_described(path, scans)
    if not path.is_dir():
        raise InputNotFoundError("There is no such folder of labelled scans.", "Check the path.")
    for fits, opened in _LAYOUTS:
        if fits(path):
            return opened(path)
    raise InputError(
        f"{path.name} is in no layout that is known.",
        "Known are MSD, nnU-Net, TotalSegmentator, BIDS derivatives, results beside scans, and a JSON file.",
    )
