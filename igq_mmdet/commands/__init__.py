"""What the command lines in tools/ share.

Imports: classification, detection, detection.data, detection.evaluation,
detection.models, errors, jobs, kernels, methods, report, report.differences,
spec, studies.
"""
