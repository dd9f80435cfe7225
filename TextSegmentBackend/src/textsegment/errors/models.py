"""Weights of a model cannot be used."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class WeightsError(TextSegmentError):
    """Model weights cannot be used."""

    code = "weights_invalid"


class WeightsMissingError(WeightsError):
    """The model weights are not installed on this computer."""

    code = "weights_missing"


class WeightsTamperedError(WeightsError):
    """The SHA-256 of the weights differs from the one recorded when they were first used."""

    code = "weights_tampered"


class WeightsDownloadError(WeightsError):
    """The weights could not be downloaded: network, proxy or hub failure, or missing files."""

    code = "weights_download_failed"


class CheckpointError(WeightsError):
    """The checkpoint does not match the network: missing, unexpected or differently shaped parameters."""

    code = "checkpoint_mismatch"


class SelfTestError(WeightsError):
    """A model failed its self-test: its masks make no sense, or its numbers are wrong."""

    code = "selftest_failed"
