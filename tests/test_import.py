"""The package imports torch and nothing of OpenMMLab."""

import subprocess
import sys

CODE = """
import sys
import igq_mmdet
for verb in ('quantize', 'calibrate', 'save', 'load', 'summary', 'QuantSpec'):
    assert hasattr(igq_mmdet, verb), verb
heads = {name.split('.')[0] for name in sys.modules}
bad = heads & {'mmengine', 'mmcv', 'mmdet', 'pycocotools', 'timm', 'cv2'}
assert not bad, bad
# needed by few, and slow
slow = {'scipy.optimize', 'torch._dynamo'} & set(sys.modules)
assert not slow, slow
"""


def test_import_loads_nothing_of_openmmlab():
    subprocess.run([sys.executable, '-c', CODE], check=True)


def test_works_where_openmmlab_is_not_installed():
    code = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('mmengine', 'mmcv', 'mmdet', 'timm'):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
import torch
import igq_mmdet
model = torch.nn.Linear(4, 2)
qmodel = igq_mmdet.quantize(model, igq_mmdet.QuantSpec(groups=2))
igq_mmdet.calibrate(qmodel, [torch.randn(3, 5, 4)])
assert 'model' in igq_mmdet.summary(qmodel)
"""
    subprocess.run([sys.executable, '-c', code], check=True)
