"""Registrations at Slicer's startup: sample data, and the terminology of the structures.

Every import here delays the start of Slicer, so nothing of the backend is imported.
"""

from __future__ import annotations

from pathlib import Path

import slicer

_RESOURCES = Path(__file__).resolve().parent.parent / "Resources"
_CHEST = "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e"


def register() -> None:
    """Register the terminology and the sample data with Slicer."""
    _register_terminology()
    _register_sample_data()


def _register_terminology() -> None:
    """Load the terminologies that the segments refer to."""
    logic = slicer.modules.terminologies.logic()
    load_regions = getattr(logic, "LoadRegionContextFromFile", None) or logic.LoadAnatomicContextFromFile
    logic.LoadTerminologyFromFile(str(_RESOURCES / "Terminologies" / "structures.json"))
    load_regions(str(_RESOURCES / "Terminologies" / "regions.json"))


def _register_sample_data() -> None:
    """Offer Slicer's own sample chest CT under the same file name, so that it is downloaded only once."""
    try:
        from SampleData import SampleDataLogic
    except ModuleNotFoundError:  # Slicer can be built without it
        return
    SampleDataLogic.registerCustomSampleDataSource(
        category="TextSegment",
        sampleName="CTChest",
        thumbnailFileName=str(_RESOURCES / "Icons" / "TextSegment.png"),
        uris=f"https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/{_CHEST}",
        fileNames="CT-chest.nrrd",
        nodeNames="CTChest",
        checksums=f"SHA256:{_CHEST}",
    )
