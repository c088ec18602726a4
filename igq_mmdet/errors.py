"""Errors that a user can fix; command lines print them as one line."""


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


class KernelError(IGQError, RuntimeError):
    """Tensors that compiled kernels were handed and cannot read."""


class ExportError(IGQError, RuntimeError):
    """A model that cannot be written for other programs."""


class MissingDependencyError(IGQError, ImportError):
    """An optional dependency that a feature needs."""


def one_line(error: BaseException, length: int = 500) -> str:
    """An error as one line that a terminal can show.

    Line feeds and what steers a terminal, which hostile files may hold,
    become spaces; the middle of a very long text is left out.

    Args:
        error (BaseException): Any.
        length (int): Characters at most. Defaults to 500.
    """
    text = ''.join(c if c.isprintable() else ' ' for c in str(error))
    text = ' '.join(text.split())
    if len(text) <= length:
        return text
    half = (length - 5) // 2
    return f'{text[:half]} ... {text[-half:]}'
