"""Tokenizer, transformer and knowledge encoder; agreement with the published one is in test_golden.py."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import TINY_TEXT

from textsegment.errors import ModalityError
from textsegment.model.text.mpnet import relative_position_bucket
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.model.text.tokenizer import tokenize

CLS, SEP, UNKNOWN = 105, 106, 104


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return KnowledgeEncoder(TINY_TEXT).eval()


@given(st.text(max_size=400))
def test_any_text_is_framed_and_at_most_256_long(text):
    ids, mask = tokenize([text])

    assert ids.shape == mask.shape
    assert 2 <= ids.shape[1] <= 256
    assert (ids[0, 0], ids[0, -1]) == (CLS, SEP)
    assert mask.all()


def test_long_text_is_cut_before_its_end_mark():
    ids, mask = tokenize(["kidney " * 300, "liver"])

    assert ids.shape == (2, 256)
    assert ids[0, -1] == SEP
    assert ids[0, 1:-1].unique().numel() == 1
    assert ids[1, 3:].eq(0).all()
    assert mask.sum(1).tolist() == [256, 3]


def test_what_the_vocabulary_lacks_becomes_the_unknown_piece():
    ids, _ = tokenize(["\U0001fac1"])

    assert ids.tolist() == [[CLS, UNKNOWN, SEP]]


def test_relative_positions_share_buckets_far_away():
    distance = torch.tensor([0, -1, -7, 1, 7, -127, -128, -500, 128, 500])

    assert relative_position_bucket(distance, 32).tolist() == [0, 1, 7, 17, 23, 15, 15, 15, 31, 31]
    far = relative_position_bucket(torch.arange(0, -200, -1), 32)
    assert (far.diff() >= 0).all()


def test_prompts_do_not_influence_each_other(encoder):
    prompts = ["liver", "left lung lower lobe", "lumbar vertebrae 5 (l5)"]

    alone = torch.cat([encoder.encode([prompt], "MR") for prompt in prompts])

    torch.testing.assert_close(encoder.encode(prompts, "MR"), alone, atol=1e-5, rtol=0)


def test_many_prompts_are_encoded_in_parts(encoder):
    prompts = [f"structure {number}" for number in range(130)]

    embeddings = encoder.encode(prompts, "CT")

    assert embeddings.shape == (130, TINY_TEXT.width)
    torch.testing.assert_close(embeddings[129:], encoder.encode(prompts[129:], "CT"), atol=1e-5, rtol=0)


def test_case_does_not_matter_but_modality_does(encoder):
    torch.testing.assert_close(encoder.encode(["LIVER"], "CT"), encoder.encode(["liver"], "CT"))
    assert not torch.equal(encoder.encode(["liver"], "CT"), encoder.encode(["liver"], "PT"))


def test_nothing_to_encode(encoder):
    assert encoder.encode([], "CT").shape == (0, TINY_TEXT.width)


def test_any_text_is_supported(encoder):
    assert encoder.supported("CT") is None


@pytest.mark.parametrize("modality", ["XA", "ct", "", "CT angio"])
def test_unknown_modality(encoder, modality):
    with pytest.raises(ModalityError, match="CT, MR, US, PT"):
        encoder.encode(["liver"], modality)
    with pytest.raises(ModalityError):
        encoder.supported(modality)
