"""Errors that a user can mend; command lines print them as one line."""


class IGQError(Exception):
    """Base of every error this package raises on purpose."""


class SpecError(IGQError, ValueError):
    """A quantization setting that cannot be carried out."""


class CalibrationError(IGQError, RuntimeError):
    """Calibration data that cannot be used, or a layer without data."""


class CheckpointError(IGQError, RuntimeError):
    """A checkpoint that is missing, damaged or made for another model."""


class DataError(IGQError, RuntimeError):
    """A data set, annotation file or image that cannot be used."""


class RankError(IGQError, RuntimeError):
    """Processes that work together: one is gone, or they disagree."""


class MissingDependencyError(IGQError, ImportError):
    """An optional dependency that a feature needs."""
