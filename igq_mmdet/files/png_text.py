"""Pictures in lines of text: PNG files in base64, without loss."""

import base64
import io

import numpy as np


def png_text(values: np.ndarray) -> str:
    """A picture as text.

    Args:
        values (np.ndarray): bool, uint8 or uint16, (H, W).
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(values).save(file, format='PNG')
    return base64.b64encode(file.getvalue()).decode()


def png_values(text: str) -> np.ndarray:
    """The inverse of :func:`png_text`.

    Args:
        text (str): As it made it.

    Returns:
        np.ndarray: (H, W).
    """
    from PIL import Image

    content = base64.b64decode(text, validate=True)
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)
