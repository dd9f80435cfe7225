"""Stand-in for the module Sample Data: keeps what was registered, and downloads nothing."""

import sys
import types

sources: dict[str, list[dict]] = {}
"""Category → what was registered in it."""


class SampleDataLogic:
    """Takes registrations, with the arguments of the real one."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
        loadFileType=None,
    ) -> None:
        """Keeps name, addresses and files of a sample."""
        sources.setdefault(category, []).append(
            {
                "sampleName": sampleName,
                "uris": uris,
                "fileNames": fileNames,
                "nodeNames": nodeNames,
                "thumbnailFileName": thumbnailFileName,
                "checksums": checksums,
            }
        )


def install() -> None:
    """Makes ``from SampleData import SampleDataLogic`` work."""
    module = types.ModuleType("SampleData")
    module.SampleDataLogic = SampleDataLogic
    sys.modules["SampleData"] = module
