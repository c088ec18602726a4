"""Ablation results as tables, pages and pictures.

Imports: errors, files, inspection, report, report.differences.
"""
