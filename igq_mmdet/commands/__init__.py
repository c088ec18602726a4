"""What the command lines in tools/ share.

Imports: classification, detection, errors, jobs, kernels, report, spec.
"""
