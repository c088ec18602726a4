"""Float checkpoints and the detector inside its wrappers.

Imports: checkpoints, errors, files, version.
"""
