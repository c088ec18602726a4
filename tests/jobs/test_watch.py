"""Who tells that a process was killed."""

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.jobs import watch


@pytest.mark.parametrize(
    'rank, local, lost, tells',
    [
        *[(0, 0, 1, True), (0, 0, 2, False)],
        *[(3, 1, 2, True), (3, 1, 1, False), (3, 1, 4, False)],
    ],
)
def test_torchrun_tells_of_its_own_machine(
    rank, local, lost, tells, monkeypatch
):
    """Two processes a machine."""
    monkeypatch.setattr(watch, 'get_dist_info', lambda: (rank, 4))
    monkeypatch.setenv('LOCAL_RANK', str(local))
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    monkeypatch.delenv('TORCHELASTIC_RUN_ID', raising=False)
    assert not watch.torchrun_tells(lost)
    monkeypatch.setenv('TORCHELASTIC_RUN_ID', 'none')
    assert watch.torchrun_tells(lost) == tells
