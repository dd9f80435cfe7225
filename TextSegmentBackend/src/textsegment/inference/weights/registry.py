"""Registry of named models: where their weights come from, and the names of the files there."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from textsegment.errors import WeightsError, WeightsMissingError
from textsegment.model.config import SAT_DEMO, SAT_NANO, SAT_PRO, SATConfig
from textsegment.model.text.mpnet import MPNetConfig

SAT_REPOSITORY = "zzh99/SAT"


@dataclass(frozen=True)
class PublishedModel:
    """A network and its text encoder, published as a pair.

    Attributes:
        config: Configuration of the image network; its name is that of the model.
        text_config: Configuration of the text encoder.
        network_patterns: Regular expressions for the path of the network's file, in lower case, best first.
        text_patterns: Regular expressions for the path of the text encoder's file, likewise.
        download_gb: Approximate size of the download in GB, shown before the hub is contacted.
        repository: Repository on the Hugging Face hub.
    """

    config: SATConfig
    text_config: MPNetConfig
    network_patterns: tuple[str, ...]
    text_patterns: tuple[str, ...]
    download_gb: float
    repository: str = SAT_REPOSITORY

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.config.name

    def find_pair(self, paths: Collection[str]) -> tuple[str, str]:
        """Find the paths of the network and of its text encoder among the paths of a repository or folder.

        Raises:
            WeightsMissingError: One of them is missing.
            WeightsError: Several files match equally well.
        """
        return (
            self._find("network", self.network_patterns, paths),
            self._find("text encoder", self.text_patterns, paths),
        )

    def _find(self, what: str, patterns: tuple[str, ...], paths: Collection[str]) -> str:
        for pattern in patterns:
            hits = sorted(path for path in paths if re.fullmatch(pattern, path.lower()))
            if len(hits) > 1:
                raise WeightsError(
                    f"Several files could be the {what} of {self.name}: {', '.join(hits)}.",
                    "Leave only one of them there.",
                )
            if hits:
                return hits[0]
        there = ", ".join(sorted(path for path in paths if path.lower().endswith(".pth"))) or "none"
        raise WeightsMissingError(
            f"The {what} of {self.name} is not among the checkpoints there ({there}).",
            "A network and its text encoder belong together: both files are needed, of the same model.",
        )


PUBLISHED = {
    model.name: model
    for model in (
        PublishedModel(
            SAT_NANO,
            MPNetConfig(),
            network_patterns=(r"(.*/)?(sat_)?nano\.pth",),
            text_patterns=(r"(.*/)?(sat_)?nano_text_encoder\.pth", r"(.*/)?nano/text_encoder\.pth"),
            download_gb=1.9,
        ),
        PublishedModel(
            SAT_PRO,
            MPNetConfig(),
            network_patterns=(r"(.*/)?(sat_)?pro\.pth",),
            text_patterns=(
                r"(.*/)?pro/text_encoder\.pth",
                r"(.*/)?(sat_)?pro_text_encoder\.pth",
                r"text_encoder\.pth",
            ),
            download_gb=6.3,
        ),
    )
}
"""Models whose weights are downloaded from their authors' repository, keyed by name."""

DEMO = SAT_DEMO.name
"""Name of the model whose weights are part of this package."""


def published_model(name: str) -> PublishedModel:
    """Look up a published model by name.

    Raises:
        WeightsError: There is no such model, or its weights are part of this package.
    """
    if name == DEMO:
        raise WeightsError(f"The weights of {DEMO} are part of this package.", "There is nothing to fetch.")
    if name not in PUBLISHED:
        raise unknown_model(name)
    return PUBLISHED[name]


def unknown_model(name: str) -> WeightsError:
    """Return the error for an unknown model name."""
    return WeightsError(f"There is no model {name!r}.", f"Choose one of {', '.join((DEMO, *PUBLISHED))}.")
