"""What a run keeps in its work dir so that it can resume.

Imports: allocation, checkpoints, detection.calibration, detection.data,
detection.evaluation, errors, files, jobs, report, spec.
"""
