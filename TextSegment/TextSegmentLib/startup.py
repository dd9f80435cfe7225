"""What Slicer is told when it has started: sample data, and the terminology of the structures.

Every start waits for what is imported here: nothing of the backend.
"""

from __future__ import annotations

from pathlib import Path

import slicer

_RESOURCES = Path(__file__).resolve().parent.parent / "Resources"
_CHEST = "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e"


def register() -> None:
    """Tell it."""
    _register_terminology()
    _register_sample_data()


def _register_terminology() -> None:
    """Load the lists that the segments name in their terminology."""
    logic = slicer.modules.terminologies.logic()
    load_regions = getattr(logic, "LoadRegionContextFromFile", None) or logic.LoadAnatomicContextFromFile
    logic.LoadTerminologyFromFile(str(_RESOURCES / "Terminologies" / "structures.json"))
    load_regions(str(_RESOURCES / "Terminologies" / "regions.json"))


def _register_sample_data() -> None:
    """Offer the chest CT that Slicer itself offers, in the same file: it is downloaded once."""
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
