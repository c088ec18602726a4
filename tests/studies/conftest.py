"""The demo's detector, as the tests of detection have it."""

from ..detection.conftest import (  # noqa: F401
    at_root,
    calibrated,
    experiment,
    few_images,
    plain_configs,
)
