"""The command line, run in this process."""

import importlib.util
import json
import warnings
from types import SimpleNamespace

import pytest

from ..browser import chromium  # noqa: F401
from ..conftest import ROOT
from ..few import few
from ..report.compare.conftest import quantized, write  # noqa: F401

FEW = few(8)


@pytest.fixture(scope='package', autouse=True)
def plain_configs():
    """Laying out configs with yapf takes mmengine longer than the rest."""
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec('mmengine') is not None:
            patch.setattr(
                'mmengine.config.config.FormatCode',
                lambda text, **kw: (text, True),
                raising=False,  # onedl-mmengine has no yapf
            )
        yield


@pytest.fixture(scope='package')
def tool():
    """tools/ptq_coco.py as a module."""
    path = ROOT / 'tools/ptq_coco.py'
    spec = importlib.util.spec_from_file_location('ptq_coco', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ptq(tool, tmp_path, monkeypatch, capfd):
    """Runs it on eight images; gives status, stdout, stderr, report."""
    monkeypatch.chdir(ROOT)

    def run(*args, options=(), few=FEW):
        report = tmp_path / 'work/igq_report.json'
        argv = [*args, '--work-dir', str(report.parent)]
        argv += ['--cfg-options', *few, *options]
        with warnings.catch_warnings():
            # mmengine's, that a Runner was built in this process before
            warnings.simplefilter('ignore')
            status = tool.main([str(arg) for arg in argv])
        out, err = capfd.readouterr()
        content = None
        if report.is_file():
            content = json.loads(report.read_text())
        return SimpleNamespace(status=status, out=out, err=err, report=content)

    return run
