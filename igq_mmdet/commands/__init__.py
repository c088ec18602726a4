"""What the command lines in tools/ share.

Imports: classification, detection, detection.data, detection.evaluation,
detection.models, errors, jobs, kernels, report, spec, studies.
"""
