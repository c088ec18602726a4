"""What readers make of damaged, foreign and long files."""

import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.dashboards.readers import READERS, read_dashboard
from igq_mmdet.report.dashboards.wandb_file import wandb_records


@pytest.mark.parametrize('kind', READERS)
def test_nothing_there(kind, tmp_path):
    if kind != 'local':
        pytest.importorskip(kind)
    with pytest.raises(DataError, match=f'no {kind} run'):
        read_dashboard(kind, str(tmp_path))
    with pytest.raises(DataError, match='no such folder'):
        read_dashboard(kind, str(tmp_path / 'nowhere'))


def test_local_lines(tmp_path):
    path = tmp_path / 'run/scalars.json'
    path.parent.mkdir()
    path.write_text('{"a/b": 0.5, "step": 2}\n{"a/b": null, "step": 3}\n')
    (run,) = read_dashboard('local', str(tmp_path))
    assert (run.name, run.scalars) == ('run', {'a/b': {2: 0.5}})
    path.write_text('{"a/b": 0.5, "step": 2}\n{"a/b": 0.')
    with pytest.raises(DataError, match='line 2: not a line of scalars'):
        read_dashboard('local', str(tmp_path))


@pytest.fixture(scope='module')
def wandb_run(tmp_path_factory):
    """An offline run with a record longer than a block of its file."""
    wandb = pytest.importorskip('wandb')
    folder = tmp_path_factory.mktemp('wandb')
    run = wandb.init(
        mode='offline',
        dir=str(folder),
        project='p',
        name='long',
        settings={'silent': True, 'console': 'off'},
    )
    run.config.update({'text': 'x' * 100_000, 'spec': {'groups': 12}})
    for step in range(3):
        run.log({'quantized/coco/bbox_mAP': step / 4, 'word': 'no number'})
    run.finish()
    wandb.teardown()  # its service writes a moment longer
    (path,) = folder.rglob('*.wandb')
    return path


@pytest.mark.slow
def test_wandb_file(wandb_run, tmp_path):
    (run,) = read_dashboard('wandb', str(wandb_run.parent))
    assert run.name == 'long'
    assert run.parameters['text'] == 'x' * 100_000
    assert run.parameters['spec.groups'] == 12
    assert run.scalars == {'quantized/coco/bbox_mAP': {0: 0, 1: 0.25, 2: 0.5}}
    data = bytearray(wandb_run.read_bytes())
    other = tmp_path / 'run-x.wandb'
    # a run that was killed: what was written before can be read
    other.write_bytes(data[: len(data) * 9 // 10])
    records = list(wandb_records(other))
    assert 0 < len(records) < len(list(wandb_records(wandb_run)))
    data[50_000] ^= 1
    other.write_bytes(data)
    with pytest.raises(DataError, match='damaged before byte'):
        read_dashboard('wandb', str(tmp_path))
    other.write_bytes(b'PK' + data[2:])
    with pytest.raises(DataError, match='not a W&B run file'):
        read_dashboard('wandb', str(tmp_path))
