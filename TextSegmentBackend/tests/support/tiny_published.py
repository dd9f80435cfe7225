"""The published files of a tiny model: their names, and how they are fetched."""

from textsegment.inference.weights.acquire import download

NETWORK, TEXT = "Tiny/tiny.pth", "Tiny/tiny_text_encoder.pth"
LATER = "f" * 40


def fetch(consent=True):
    return download("sat-tiny", consent=lambda offer: consent, on_progress=lambda *_: None)


def files_at_home(tmp_path):
    return {path.name for path in (tmp_path / "home").rglob("*") if path.is_file()}
