"""A library is taken only if it was made of the sources beside it."""

import shutil
import sys
from pathlib import Path

import pytest

from igq_mmdet.kernels import library
from igq_mmdet.kernels.sources import fingerprint

MODULE = sys.modules['igq_mmdet.kernels.library']
FOLDER = Path(MODULE.__file__).parent


def test_a_library_of_other_sources_is_refused(tmp_path, monkeypatch):
    if library() is None:
        pytest.skip('no kernels here')
    for path in FOLDER.glob('_kernels*'):
        shutil.copy(path, tmp_path)
    shutil.copytree(FOLDER / 'csrc', tmp_path / 'csrc')
    monkeypatch.setattr(MODULE, '__file__', str(tmp_path / 'library.py'))
    found = library.__wrapped__('avx2')
    assert found is not None and found.name == 'avx2'
    with (tmp_path / 'csrc/api.h').open('a') as file:
        file.write('// changed\n')
    with pytest.warns(UserWarning, match='older than their sources'):
        assert library.__wrapped__('avx2') is None


def test_names_and_contents_count(tmp_path):
    (tmp_path / 'a.h').write_text('1')
    first = fingerprint(tmp_path)
    (tmp_path / 'notes.txt').write_text('1')
    assert fingerprint(tmp_path) == first
    (tmp_path / 'a.h').rename(tmp_path / 'b.h')
    assert fingerprint(tmp_path) != first
