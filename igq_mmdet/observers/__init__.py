"""Statistics of float activations, collected while a model runs.

Imports: errors.
"""

from .channel_histogram import ChannelHistogram
from .channel_means import ChannelMeans
from .channel_ranges import ChannelRanges
from .observer import Observer
from .observers import Histogram, Presence, RowMaxima

__all__ = [
    'ChannelHistogram',
    'ChannelMeans',
    'ChannelRanges',
    'Histogram',
    'Observer',
    'Presence',
    'RowMaxima',
]
