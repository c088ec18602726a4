"""Detectors on images that nobody annotated: from a file to drawings.

Imports: checkpoints, detection.data, detection.evaluation, detection.kept,
detection.models, errors, files, openmmlab.
"""
