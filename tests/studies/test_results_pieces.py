"""The pieces of docs/results.md, and the command that runs them."""

import importlib.util

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.studies.results_pieces import pieces

from ..conftest import ROOT


def test_the_command_knows_every_piece():
    path = ROOT / 'tools/run_results.py'
    spec = importlib.util.spec_from_file_location('run_results', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tuple(pieces()) == tool.PIECES


def test_roundings_differ_in_nothing_else():
    first, *others = pieces()['rounding'].rows
    assert 'weights' not in first.changes
    for row in others:
        changes = dict(row.changes)
        assert changes.pop('weights') in row.label
        assert changes == first.changes and row.images == first.images
