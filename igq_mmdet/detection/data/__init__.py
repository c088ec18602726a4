"""COCO annotations, images by name and the calibration set.

Imports: errors, field_checks.
"""
