"""Many report files as one table and one page.

Imports: errors, inspection, methods, report, report.ablations,
report.differences, spec.
"""

from .cohort import Cohort, Run, add_differences
from .collect import collect, report_files
from .gallery import Drawn, Gallery, Shelf
from .page import page
from .pictures import rankings
from .tables import csv_text, markdown_text, terminal_text

__all__ = [
    'Cohort',
    'Drawn',
    'Gallery',
    'Run',
    'Shelf',
    'add_differences',
    'collect',
    'csv_text',
    'markdown_text',
    'page',
    'rankings',
    'report_files',
    'terminal_text',
]
