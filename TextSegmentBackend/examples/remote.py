"""Ask a server for structures in a scan, and show everything that happens on the way.

    textsegment serve &
    python examples/remote.py http://127.0.0.1:8765 ct.nii.gz "liver, left kidney"

The key of the server, if it has one, is read from the environment variable TEXTSEGMENT_TOKEN. Ctrl-C cancels
the job on the server, too.
"""

import argparse
import os
import sys

import textsegment
from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import TextSegmentError
from textsegment.segmenter import Event, MaskReady, Progress, Queued


def show(event: Event) -> None:
    """Print an event; events come in this thread, masks as soon as they are final."""
    if isinstance(event, Queued):
        print(f"  waiting behind {event.position} jobs")
    elif isinstance(event, Progress):
        print(f"  {event.fraction:4.0%} {event.stage}")
    elif isinstance(event, MaskReady):
        print(f"  {event.mask.structure}: {event.mask.statistics.volume_ml:.1f} ml")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("image")
    parser.add_argument("structures", help='"liver, left kidney"')
    parser.add_argument("--modality", default="CT")
    given = parser.parse_args()

    volume = textsegment.read_volume(given.image, modality=given.modality)
    with RemoteSegmenter(given.server, os.environ.get("TEXTSEGMENT_TOKEN")) as segmenter:
        info = segmenter.server_info()  # the test of address, key and version
        print(f"{info.model.model} on {info.model.device}, server {info.software}")
        result = segmenter.segment(volume, given.structures.split(","), on_event=show)
        for warning in result.warnings:
            print(f"! {warning}")
        print(dict(result.provenance))

        # The server has the scan now: a further question is quick.
        again = segmenter.segment(volume, given.structures.split(",")[:1])
        print(f"again: {again.masks[0].statistics}")


if __name__ == "__main__":
    try:
        main()
    except TextSegmentError as error:
        sys.exit(f"{error.message} [{error.code}]\n{error.hint}")
