"""Ablation results as tables, pages and pictures.

Imports: files, inspection, report, report.differences.
"""
