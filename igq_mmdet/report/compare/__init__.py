"""Many report files as one table and one page.

Imports: errors, inspection, methods, report, report.ablations, spec.
"""

from .cohort import Cohort, Run
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
    'collect',
    'csv_text',
    'markdown_text',
    'page',
    'rankings',
    'report_files',
    'terminal_text',
]
