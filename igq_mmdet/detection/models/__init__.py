"""Float checkpoints and the detector inside its wrappers.

Imports: detection.data, errors, files, openmmlab, version.
"""
