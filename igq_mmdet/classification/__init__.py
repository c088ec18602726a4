"""timm classifiers: data, training of small ones, evaluation.

Imports: calibration, checkpoints, errors, files, inspection, jobs, report,
report.differences, spec.
"""

from .data import Images, image_folder
from .experiment import ClassifierExperiment
from .fashion_mnist import fashion_mnist

__all__ = ['ClassifierExperiment', 'Images', 'fashion_mnist', 'image_folder']
