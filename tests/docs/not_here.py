"""Commands of the pages that the tests of this folder do not run, and why.

Either another test runs the tool, which is named, or something is missing
here. A command that stands in neither table is run as it is written.
"""

# command -> the test that runs its tool
ELSEWHERE = {
    'make test': '.ci/run',
    'make demo': '.ci/run',
    'make lint': '.ci/run',
    'make docs': '.ci/run',
    'make results': 'tests/tools/test_run_results.py',
    'make evidence-saliency': 'tests/studies/test_saliency_evidence.py',
    'python tools/evidence_saliency.py --seed 0 --bits 4/4 8/4 6/6': (
        'tests/studies/test_saliency_evidence.py'
    ),
    'python tools/ablate.py CONFIG CHECKPOINT --seed 0 1 2': (
        'tests/tools/test_ablate.py'
    ),
    'python tools/ptq_coco.py CONFIG CHECKPOINT --custom-imports my_method '
    '--compare igq:8,mine:8': 'tests/tools/test_custom_method.py',
    'python tools/sensitivity.py': 'tests/tools/test_sensitivity.py',
    'python tools/sensitivity.py CONFIG CHECKPOINT --w-bits 4 --a-bits 4 '
    '--groups 8': 'tests/tools/test_sensitivity.py',
    'python tools/sensitivity.py CONFIG CHECKPOINT --ap': (
        'tests/tools/test_sensitivity.py'
    ),
    'python tools/reproduce.py ROW --coco DIR --checkpoint FILE': (
        'tests/studies/test_reproduce.py'
    ),
    'python tools/convert_checkpoint.py CONFIG ORIGINAL.pth CONVERTED.pth': (
        'tests/detection/models/test_convert_swin.py'
    ),
    'python tools/ptq_imagenet.py MODEL --data DIR --bits 4/4 6/6 --compare '
    'layerwise,igq:8,igq:12,upper_bound': (
        'tests/classification/test_classification.py'
    ),
    '.venv/bin/python demo/train.py --work-dir work_dirs/demo_train': (
        'tests/demo/test_demo_training.py'
    ),
    '.venv/bin/python demo/train_nuclei.py --work-dir '
    'work_dirs/nuclei_train': 'tests/demo/test_nuclei.py',
    '.venv/bin/python tools/ptq_coco.py '
    'configs/nuclei/mask-rcnn_swin-mini_nuclei.py': (
        'tests/tools/test_nuclei.py'
    ),
    'python tools/run_results.py --pieces rounding': (
        'tests/tools/test_run_results.py'
    ),
    'python tools/ptq_coco.py configs/nuclei/mask-rcnn_swin-mini_nuclei.py '
    '--compare igq:12 --w-bits 4 --a-bits 4 --preset best': (
        'tests/tools/test_ptq_coco.py'
    ),
    'python tools/ptq_coco.py configs/nuclei/mask-rcnn_swin-mini_nuclei.py '
    '--calib-images 8 --compare layerwise,igq:8,igq:12,upper_bound '
    '--work-dir work_dirs/nuclei': 'tests/tools/test_nuclei.py',
    'python tools/ptq_coco.py configs/nuclei/mask-rcnn_swin-mini_nuclei.py '
    '--calib-each kind --calib-images 8 --seed 0 1 2 --compare '
    'layerwise,igq:8,igq:12,upper_bound --resume --work-dir '
    'work_dirs/nuclei_kinds --cfg-options '
    'calib_dataset.ann_file=instances_train.json': (
        'tests/tools/test_nuclei.py'
    ),
    'python tools/ptq_segmentation.py CONFIG WEIGHTS --sets '
    'CHAMELEON,CAMO,COD10K,NC4K --compare '
    'layerwise,igq:8,igq:12,upper_bound': (
        'tests/segmentation/test_ptq_segmentation.py'
    ),
    'python tools/export.py q.safetensors work_dirs/m.onnx --size 64 96 '
    '--check': 'tests/tools/test_export.py',
    'python tools/export.py q.safetensors m.onnx --size 256 256 --check '
    'demo/images/000000000030.jpg demo/images/000000000599.jpg': (
        'tests/tools/test_export.py'
    ),
    'python -m tests.fuzz': 'tests/test_fuzz.py',
    'python -m tests.fuzz --kind checkpoint --cases 20000 --seed 7': (
        'tests/test_fuzz.py'
    ),
    'python -m benchmarks --json docs/performance.json --page': (
        'tests/benchmarks/test_timing.py'
    ),
}

# start of a command -> what is missing here
MISSING = {
    '.venv/bin/python tools/infer.py': 'IMAGES that the page leaves open; a '
    'test of inference runs the tool',
    'tools/dist_ptq.sh CONFIG': 'GPUS that the page leaves open',
    'mpirun': 'Open MPI',
    'mim=': 'half an hour to train the Cascade',
    'python tools/ablate.py configs/demo/cascade': 'weights that do not ship',
    'python tools/make_results.py work_dirs/ablate': 'those results; see the '
    'test of the tables',
    'python tools/ptq_fashion_mnist.py': 'weights that do not ship; a test '
    'trains some and quantizes them',
    'python tools/imagenet_docs.py': 'their reports',
    'python tools/coverage_table.py': 'ten minutes; the tests of modules and '
    'detectors check what it writes',
    'python tools/train_fashion_mnist.py': 'half an hour; a test trains one '
    'epoch on fewer images',
    'git clone': 'the address of the repository',
    'pip install': 'an environment of its own; see the test of the wheel',
    'apt-get': 'leave to install Debian packages',
    'python tools/reproduce.py mask': 'COCO and published checkpoints',
    'python tools/reproduce.py cascade': 'COCO and published checkpoints',
    'python tools/convert_checkpoint.py configs': 'published checkpoints',
    'make test-onedl': 'a second environment, half an hour to build and run',
    'make test-fast': 'nothing: make test runs the same tests and more',
    'make setup': 'nothing: it is what the tests run in',
    'python -m pytest': 'another version of torch',
    'make format': 'leave to change the sources',
    'make lock': 'leave to change the requirements',
    'make bench': 'a quiet machine',
    'srun': 'Slurm',
    'sbatch': 'Slurm',
}
