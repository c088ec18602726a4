"""Float checkpoints and the detector inside its wrappers.

Imports: errors, files, openmmlab, version.
"""
