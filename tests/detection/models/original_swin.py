"""Swin-Transformer-Object-Detection's layout, written down again for tests.

A backbone in its names and its order of patch merging, and the names and
shapes of its necks and heads. Nothing here comes from the package or mmdet.
"""

import torch
from torch import nn
from torch.nn import functional as F

WINDOW = 7
SIZES = {
    't': dict(width=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24)),
    's': dict(width=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24)),
    'b': dict(width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)),
}


def position_index():
    """(49, 49): which row of the bias table a pair of positions reads."""
    cells = [(row, col) for row in range(WINDOW) for col in range(WINDOW)]
    side = 2 * WINDOW - 1
    return torch.tensor(
        [
            [
                (a[0] - b[0] + WINDOW - 1) * side + a[1] - b[1] + WINDOW - 1
                for b in cells
            ]
            for a in cells
        ]
    )


def windows(x):
    """(B, H, W, C) to (B, H/7, W/7, 49, C)."""
    x = x.unflatten(1, (-1, WINDOW)).unflatten(3, (-1, WINDOW))
    return x.transpose(2, 3).flatten(3, 4)


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        side = 2 * WINDOW - 1
        self.relative_position_bias_table = nn.Parameter(
            torch.randn(side * side, heads)
        )
        self.register_buffer('relative_position_index', position_index())
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, mask):
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.movedim(-3, 0).transpose(-2, -3)
        scores = q @ k.mT * q.shape[-1] ** -0.5
        table = self.relative_position_bias_table
        scores = scores + table[self.relative_position_index].movedim(-1, 0)
        if mask is not None:
            scores = scores + mask
        return self.proj(
            (scores.softmax(-1) @ v).transpose(-2, -3).flatten(-2)
        )


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, shift):
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x):
        height, width = x.shape[1:3]
        y = F.pad(
            self.norm1(x), (0, 0, 0, -width % WINDOW, 0, -height % WINDOW)
        )
        mask = None
        if self.shift:
            y = y.roll((-self.shift, -self.shift), (1, 2))
            mask = self.mask(*y.shape[1:3])
        rows = y.shape[1] // WINDOW
        y = self.attn(windows(y), mask)
        y = y.unflatten(3, (WINDOW, WINDOW)).transpose(2, 3)
        y = y.flatten(1, 2).flatten(2, 3)
        assert y.shape[1] == rows * WINDOW
        if self.shift:
            y = y.roll((self.shift, self.shift), (1, 2))
        x = x + y[:, :height, :width]
        return x + self.mlp(self.norm2(x))

    def mask(self, height, width):
        """(1, H/7, W/7, 1, 49, 49): -100 between regions."""

        def bands(size):
            band = torch.zeros(size)
            band[-WINDOW:] = 1
            band[-self.shift :] = 2
            return band

        regions = 3 * bands(height)[:, None] + bands(width)
        regions = windows(regions[None, :, :, None])[..., 0]
        apart = regions[..., :, None] != regions[..., None, :]
        return -100.0 * apart[:, :, :, None]


class Merging(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x):
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        x0, x1 = x[:, 0::2, 0::2], x[:, 1::2, 0::2]
        x2, x3 = x[:, 0::2, 1::2], x[:, 1::2, 1::2]
        return self.reduction(self.norm(torch.cat([x0, x1, x2, x3], -1)))


class Layer(nn.Module):
    def __init__(self, dim, depth, heads, merge):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(dim, heads, WINDOW // 2 if i % 2 else 0)
            for i in range(depth)
        )
        if merge:
            self.downsample = Merging(dim)


class PatchEmbed(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, 4, 4)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        x = F.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4))
        return self.norm(self.proj(x).movedim(1, -1))


class OriginalSwin(nn.Module):
    """Random weights, also where a fresh Swin has ones and zeros."""

    def __init__(self, width, depths, heads):
        super().__init__()
        self.patch_embed = PatchEmbed(width)
        last = len(depths) - 1
        self.layers = nn.ModuleList(
            Layer(width << i, depths[i], heads[i], i < last)
            for i in range(len(depths))
        )
        for i in range(len(depths)):
            setattr(self, f'norm{i}', nn.LayerNorm(width << i))
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                nn.init.normal_(module.weight, 1, 0.5)
                nn.init.normal_(module.bias)

    def forward(self, image):
        x, features = self.patch_embed(image), []
        for i, layer in enumerate(self.layers):
            for block in layer.blocks:
                x = block(x)
            features.append(getattr(self, f'norm{i}')(x).movedim(-1, 1))
            if hasattr(layer, 'downsample'):
                x = layer.downsample(x)
        return features


def head_shapes(width, cascade):
    """Names and shapes of neck and heads in a detector on mmdet 2.11."""
    shapes = {}

    def layer(name, *shape, bias=True):
        shapes[f'{name}.weight'] = shape
        if bias:
            shapes[f'{name}.bias'] = shape[:1]

    for i in range(4):
        layer(f'neck.lateral_convs.{i}.conv', 256, width << i, 1, 1)
        layer(f'neck.fpn_convs.{i}.conv', 256, 256, 3, 3)
    layer('rpn_head.rpn_conv', 256, 256, 3, 3)
    layer('rpn_head.rpn_cls', 3, 256, 1, 1)
    layer('rpn_head.rpn_reg', 12, 256, 1, 1)
    for stage in ('.0', '.1', '.2') if cascade else ('',):
        box, mask = f'roi_head.bbox_head{stage}', f'roi_head.mask_head{stage}'
        layer(f'{box}.fc_cls', 81, 1024)
        layer(f'{box}.fc_reg', 320, 1024)
        layer(f'{box}.shared_fcs.0', 1024, 256 * 7 * 7)
        if not cascade:
            layer(f'{box}.shared_fcs.1', 1024, 1024)
        for i in range(4):
            layer(f'{mask}.convs.{i}.conv', 256, 256, 3, 3)
            if cascade:
                conv = f'{box}.shared_convs.{i}'
                layer(f'{conv}.conv', 256, 256, 3, 3, bias=False)
                layer(f'{conv}.bn', 256)
                shapes[f'{conv}.bn.running_mean'] = (256,)
                shapes[f'{conv}.bn.running_var'] = (256,)
                shapes[f'{conv}.bn.num_batches_tracked'] = ()
        layer(f'{mask}.upsample', 256, 256, 2, 2)
        layer(f'{mask}.conv_logits', 80, 256, 1, 1)
    return shapes


def original_detector(size, cascade, seed=0):
    """A backbone with random weights, and a whole detector's state dict."""
    torch.manual_seed(seed)
    swin = OriginalSwin(**SIZES[size]).eval()
    state = {f'backbone.{k}': v for k, v in swin.state_dict().items()}
    for name, shape in head_shapes(SIZES[size]['width'], cascade).items():
        integer = name.endswith('num_batches_tracked')
        state[name] = (
            torch.tensor(7) if integer else torch.empty(shape).uniform_()
        )
    return swin, state
