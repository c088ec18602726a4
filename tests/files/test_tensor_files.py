"""Tensors that a long job keeps."""

import logging

import torch

from igq_mmdet.files.tensor_files import TensorFiles


def test_what_was_put_is_there(tmp_path):
    files = TensorFiles(tmp_path / 'job')
    assert files.get('a.b') is None and not files.folder.exists()
    files.put('a.b', {'x': torch.eye(3).T[:2], 'y': torch.zeros(0)})
    files.put('a/b c', {'z': torch.ones(1)})
    again = TensorFiles(tmp_path / 'job')
    found = again.get('a.b')
    assert set(found) == {'x', 'y'} and torch.equal(
        found['x'], torch.eye(3)[:2]
    )
    assert set(again.get('a/b c')) == {'z'}
    assert len(list(files.folder.iterdir())) == 2  # nothing temporary
    again.clear()
    assert not files.folder.exists()


def test_a_damaged_file_is_nobodys(tmp_path, caplog):
    files = TensorFiles(tmp_path)
    files.put('a', {'x': torch.ones(100)})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    with caplog.at_level(logging.WARNING):
        assert files.get('a') is None
    (message,) = caplog.messages
    assert str(path) in message and message.endswith('made again')
