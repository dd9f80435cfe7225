"""Our network and text encoder against outputs of the published ones, same weights."""

import numpy as np
import pytest
import torch
from named_weights import GOLDEN, named_tensors, published_shapes

from textsegment.model.checkpoints.published import load_published
from textsegment.model.config import SAT_NANO, SAT_PRO, SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.model.text.tokenizer import tokenize


@pytest.fixture(scope="module")
def texts():
    with np.load(GOLDEN / "text_a.npz") as figures:
        return dict(figures)


def test_tokens(texts):
    ids, mask = tokenize([str(text) for text in texts["texts"]])

    np.testing.assert_array_equal(ids, texts["input_ids"])
    np.testing.assert_array_equal(mask, texts["attention_mask"].astype(bool))


@pytest.fixture(scope="module")
def knowledge_encoder():
    with torch.device("meta"):
        encoder = KnowledgeEncoder(MPNetConfig())
    load_published(encoder, named_tensors(published_shapes("keys_text_encoder.tsv")))
    return encoder.eval()


@pytest.mark.parametrize(
    ("modality", "published"), [("CT", "ct"), ("MR", "mri"), ("US", "us"), ("PT", "pet")]
)
def test_embeddings(knowledge_encoder, texts, modality, published):
    embeddings = knowledge_encoder.encode([str(text) for text in texts["texts"]], modality)

    assert embeddings.dtype == torch.float32
    np.testing.assert_allclose(embeddings, texts[f"query_{published}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("config", "figures", "exact", "rounded"),
    [
        (SAT_NANO, "nano", 5e-4, 2e-3),
        # 477 million parameters: half a minute in double precision, which would show the same layers again.
        pytest.param(SAT_PRO, "pro", None, 6e-2, marks=pytest.mark.slow),
    ],
)
def test_logits(config: SATConfig, figures, exact, rounded):
    """The figures are of float32, whose rounding these small inputs magnify, differently on every processor.

    In double precision only the rounding of the figures is left: that bound is the same everywhere.
    """
    with torch.device("meta"):
        network = SAT(config)
    unused = load_published(network, named_tensors(published_shapes(f"keys_{figures}.tsv")))
    assert {name.split(".")[0] for name in unused} == {"mid_mask_embed_proj", "transformer_decoder"}
    network.eval()
    with np.load(GOLDEN / f"{figures}_64x32x32_a.npz") as golden:
        expected = (golden["image_tokens"][:, 0], golden["pixel_features_every8"][0], golden["logits"][0])
        found_within = [(answer(network, golden), rounded)]
        if exact is not None:
            found_within.append((answer(network.double(), golden), exact))
    for found, bound in found_within:
        errors = [relative_error(f, e) for f, e in zip(found, expected, strict=True)]
        print("tokens {:.1e}, pixel features {:.1e}, logits {:.1e}".format(*errors))
        assert max(errors) < bound
        assert np.mean((found[2] > 0) != (expected[2] > 0)) < bound


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def answer(network: SAT, golden):
    """Tokens, every eighth pixel feature and logits, in the precision of the network."""
    dtype = next(network.parameters()).dtype
    with torch.inference_mode():
        features = network.encode_image(torch.from_numpy(golden["voxels"]).to(dtype))
        embeddings = network.mask_embeddings(features, torch.from_numpy(golden["queries"]).to(dtype))
        logits = network.logits(features.pixel_features, embeddings)
    return features.tokens.numpy(), features.pixel_features[:, ::8, ::8, ::8].numpy(), logits.numpy()
