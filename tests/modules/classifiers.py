"""Small classifiers of the table of families, and images for them."""

import torch
from torch import nn

from igq_mmdet.inspection.families import TORCHVISION
from igq_mmdet.studies.family_check import random_classifier


def build(family):
    """A model with random weights, none of them at a neutral value."""
    model = random_classifier(family, {**family.options, **family.smaller})
    if family in TORCHVISION:  # two stages of four, a sixteenth of the weights
        model.features = model.features[:4]
        model.norm, model.head = nn.LayerNorm(192), nn.Linear(192, 10)
        model.eval()
    for name, parameter in model.named_parameters():
        if 'gamma' in name:  # layer scale: 1e-5 would hide the block
            parameter.data.fill_(1)
        noise = torch.randn_like(parameter)
        parameter.data += 0.02 * noise
    return model.requires_grad_(False)


def images(family, count=3):
    """Pictures that differ in range, so that a mix of them shows."""
    generator = torch.Generator().manual_seed(1)
    size = family.size
    pictures = torch.randn(count, 3, size, size, generator=generator)
    return pictures * torch.linspace(0.5, 2, count)[:, None, None, None]


def relative(found, wanted):
    """The largest difference, of the largest value."""
    return ((found - wanted).abs().max() / wanted.abs().max()).item()
