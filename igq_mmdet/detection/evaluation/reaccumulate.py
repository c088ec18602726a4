"""AP of some of the images, from matches that were made for all of them.

COCOeval matches detections with annotations image by image, which takes
nearly all its time, and then accumulates. What is asked of a part of the
images needs only the second step.
"""

import contextlib
import copy
import io
from collections.abc import Collection
from typing import Any

import numpy as np
from pycocotools.cocoeval import COCOeval


def stats_of(run: COCOeval, image_ids: Collection[Any]) -> np.ndarray:
    """Accumulates some images of a finished evaluation.

    Args:
        run (COCOeval): Evaluated; it stays as it is.
        image_ids (Collection): Which of its images.

    Returns:
        np.ndarray: ``COCOeval.stats`` as if nothing else had been
        evaluated, (12, ).
    """
    wanted = set(image_ids)
    ids = list(run._paramsEval.imgIds)
    chosen = [place for place, one in enumerate(ids) if one in wanted]
    # by class, area and image, see COCOeval.evaluate
    matches = np.empty(len(run.evalImgs), dtype=object)
    matches[:] = run.evalImgs
    part = copy.copy(run)
    part.evalImgs = list(matches.reshape(-1, len(ids))[:, chosen].flatten())
    part.params = copy.copy(run.params)
    part.params.imgIds = [ids[place] for place in chosen]
    part._paramsEval = copy.copy(run._paramsEval)
    part._paramsEval.imgIds = part.params.imgIds
    with contextlib.redirect_stdout(io.StringIO()):
        part.accumulate()
        part.summarize()
    stats: np.ndarray = part.stats
    return stats
