"""Names that tell nobody who a patient is, but are the same for all scans of one patient.

They are made with a secret of this computer, which never leaves Slicer's settings: without it, even a list of
all patients does not lead from a pseudonym to one of them.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import slicer

from TextSegmentLib import settings

_LENGTH = 16
_PATIENT_ID = "0010,0020"
_UIDS = "DICOM.instanceUIDs"


def pseudonym(text: str) -> str:
    """Return the pseudonym of a patient or a scan."""
    key = settings.collect_secret().encode()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_LENGTH]


def patient_of(volume_node: Any) -> str | None:
    """Return the pseudonym of the patient of a volume that was loaded from DICOM; None if it is not known."""
    uids = (volume_node.GetAttribute(_UIDS) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None:
        return None
    number = str(database.instanceValue(uids[0], _PATIENT_ID) or "").strip()
    return pseudonym(f"patient {number}") if number else None
