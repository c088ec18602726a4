"""torchvision's shifted windows, which hand weights to a function."""

import pytest
import torch
from torchvision.models.swin_transformer import (
    PatchMerging,
    ShiftedWindowAttention,
    ShiftedWindowAttentionV2,
    SwinTransformerBlock,
    SwinTransformerBlockV2,
)

import igq_mmdet as igq
from igq_mmdet.modules.instances import current_instances
from igq_mmdet.modules.norm_pairs import norm_pairs

VERSIONS = pytest.mark.parametrize(
    'version', [ShiftedWindowAttention, ShiftedWindowAttentionV2]
)
# height and width of the map, window, shift
SIZES = [
    (14, 14, (7, 7), (3, 3)),
    (10, 16, (7, 7), (3, 3)),
    (4, 15, (7, 7), (3, 3)),
    (5, 6, (7, 7), (3, 3)),
    (9, 8, (4, 3), (2, 1)),
    (8, 9, (4, 3), (0, 1)),
    (12, 12, (4, 4), (0, 0)),
]


def attention(version, window, shift, **options):
    torch.manual_seed(0)
    made = version(12, list(window), list(shift), 3, **options).eval()
    for parameter in made.parameters():
        # K's bias as well, which SwinV2 takes for zero
        parameter.data += 0.3 * torch.randn_like(parameter)
    return made.requires_grad_(False)


@VERSIONS
@pytest.mark.parametrize('height, width, window, shift', SIZES)
@pytest.mark.parametrize(
    'layers',
    [
        {},
        {'include': 'qkv'},
        {'include': 'proj'},
        {'exclude': ['qkv', 'proj']},
    ],
    ids=str,
)
def test_computes_as_the_float_class(
    version, height, width, window, shift, layers
):
    """Whatever of it is quantized."""
    made = attention(version, window, shift)
    x = torch.randn(2, height, width, 12)
    qattention = igq.quantize(made, igq.QuantSpec(groups=3, **layers))
    torch.testing.assert_close(qattention(x), made(x), rtol=1e-5, atol=1e-5)


@VERSIONS
def test_without_biases_and_in_training(version):
    made = attention(
        version, (4, 4), (2, 2), qkv_bias=False, proj_bias=False
    ).train()
    x = torch.randn(2, 9, 8, 12)
    qattention = igq.quantize(made, igq.QuantSpec(groups=3))
    torch.testing.assert_close(qattention(x), made(x), rtol=1e-5, atol=1e-5)


@VERSIONS
def test_the_float_model_stays_as_it_was(version):
    made = attention(version, (4, 4), (2, 2))
    before = {key: value.clone() for key, value in made.state_dict().items()}
    igq.quantize(made, igq.QuantSpec(groups=3))
    for key, value in made.state_dict().items():
        assert torch.equal(value, before[key]), key


@VERSIONS
@pytest.mark.parametrize('height, width, window, shift', SIZES)
def test_padding_counts_for_no_statistic(
    version, height, width, window, shift, monkeypatch
):
    """The padded token is told to qkv, and what it becomes to the rest."""
    made = attention(version, window, shift)
    qattention = igq.quantize(made, igq.QuantSpec(groups=3))
    told = []
    qattention.qkv.register_forward_pre_hook(
        lambda module, args: told.append((args[0], current_instances()))
    )
    qattention.q_quantizer.register_forward_pre_hook(
        lambda module, args: told.append((args[0], current_instances()))
    )
    x = torch.randn(2, height, width, 12)
    igq.calibrate(qattention, [x])
    (tokens, of_qkv), (query, of_query) = told
    counted = torch.cat([c for _, c in of_qkv.split(tokens)])
    torch.testing.assert_close(counted, x.reshape(-1, 12))
    windows = -(-height // window[0]) * -(-width // window[1])
    positions = windows * window[0] * window[1]
    assert query.shape[0] == 2 * windows
    if positions == height * width:
        assert of_query.keep is None
    else:
        assert of_query.keep.sum() == height * width
        assert of_query.keep.numel() == positions


def test_norms_that_feed_one_layer():
    first = SwinTransformerBlock(12, 3, [4, 4], [2, 2])
    assert norm_pairs(first) == {'attn.qkv': 'norm1', 'mlp.0': 'norm2'}
    assert norm_pairs(PatchMerging(12)) == {'reduction': 'norm'}
    # normalises what its layers gave, though it derives from the other
    assert norm_pairs(SwinTransformerBlockV2(12, 3, [4, 4], [2, 2])) == {}


def test_repq_folds_into_the_norms():
    torch.manual_seed(0)
    block = SwinTransformerBlock(12, 3, [4, 4], [2, 2]).eval()
    spec = igq.QuantSpec(method='repq', w_bits=8, a_bits=8)
    x = torch.randn(2, 9, 8, 12)
    qblock = igq.quantize(block, spec)
    with torch.no_grad():
        igq.calibrate(qblock, [x])
        apart = (qblock(x) - block(x)).abs().max() / block(x).abs().max()
    assert not torch.equal(qblock.norm1.weight, block.norm1.weight)
    assert 0 < apart < 0.05
