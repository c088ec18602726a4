"""Measures Mask R-CNN Swin-T in float, simulated and on integers.

    python -m benchmarks --json docs/performance.json --page

writes the figures of docs/performance.md.
"""

import argparse
import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='benchmarks', description=__doc__)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument(
        '--size', type=int, nargs=2, default=(800, 1216), help='H W'
    )
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument(
        '--clock',
        choices=('wall', 'cpu'),
        default='wall',
        help='cpu: of this process, for machines that others use too',
    )
    parser.add_argument('--groups', type=int, default=12)
    parser.add_argument('--method', default='igq_integral')
    parser.add_argument('--bits', type=int, default=4)
    parser.add_argument(
        '--compile', action='store_true', help='add torch.compile, backbone'
    )
    parser.add_argument('--json', help='write the measurements here')
    parser.add_argument(
        '--page', action='store_true', help='renew docs/performance.md'
    )
    parser.add_argument(
        '--memory-of', nargs=2, metavar=('FORM', 'FILE'), help='internal'
    )
    return parser.parse_args()


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Everything, as JSON-ready figures."""
    import torch

    import igq_mmdet as igq
    from igq_mmdet.report.environment import environment

    from .kinds import Clock
    from .memory import peak_memory
    from .timing import CLOCKS, alternate, summarise
    from .variants import backbone_input, make_variants

    height, width = args.size
    clock = CLOCKS[args.clock]
    spec = igq.QuantSpec(
        w_bits=args.bits,
        a_bits=args.bits,
        groups=args.groups,
        method=args.method,
    )
    made = make_variants(spec, height, width, clock)
    models: dict[str, Any] = made.models
    batch = made.batch
    steps = {
        name: lambda m=model: m.test_step(batch)
        for name, model in models.items()
    }
    data: dict[str, Any] = {
        'schema': 'igq_mmdet.benchmark/1',
        'environment': environment(),
        'threads': args.threads,
        'size': [height, width],
        'rounds': args.rounds,
        'clock': args.clock,
        'spec': spec.to_dict(),
        'instances': {
            name: len(step()[0].pred_instances) for name, step in steps.items()
        },
        'still_simulated': {
            name: reason
            for name, reason in models['integer'].igq_runtime.items()
            if reason is not None
        },
    }
    whole = alternate(steps, args.rounds, clock)
    data['whole'] = summarise(whole, 'float')
    x = backbone_input(batch, models['float'])
    parts = {
        name: lambda m=model: m.backbone(x) for name, model in models.items()
    }
    if args.compile:
        compiled = torch.compile(models['float'].backbone)
        parts['torch.compile'] = lambda: compiled(x)
    data['backbone'] = summarise(alternate(parts, args.rounds, clock), 'float')
    clocks = {name: Clock(model, clock) for name, model in models.items()}
    for area, runs in (('whole', steps), ('backbone', parts)):
        rows: dict[str, dict[str, list[float]]] = {}
        for number in range(args.rounds + 1):
            for name in models:
                for kind, taken in clocks[name].run(runs[name]).items():
                    if number:
                        rows.setdefault(kind, {}).setdefault(name, [])
                        rows[kind][name].append(taken)
        data[f'{area}_kinds'] = {
            kind: summarise(own, 'float') for kind, own in rows.items()
        }
    for hooks in clocks.values():
        hooks.close()
    seconds = made.seconds
    total = sum(seconds[key] for key in ('collect', 'fit', 'freeze'))
    data['calibration'] = {
        **seconds,
        'total': total,
        'float_forwards': total / data['whole']['float']['median'],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'q.safetensors')
        start = clock()
        igq.save(models['simulated'], path)
        saved = clock()
        igq.load(models['float'], path)
        data['file'] = {
            'save': saved - start,
            'load': clock() - saved,
            'bytes': os.path.getsize(path),
        }
        data['memory'] = {
            name: peak_memory(name, path, height, width, args.threads)
            for name in models
        }
    return data


def main() -> None:
    args = parse_args()
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    warnings.simplefilter('ignore')
    import torch

    torch.set_num_threads(args.threads)
    if args.memory_of:
        from .memory import measure as measure_memory

        measure_memory(*args.memory_of, *args.size)
        return
    from .page import renew, tables

    with torch.no_grad():
        data = measure(args)
    if args.json:
        text = json.dumps(data, indent=1)
        Path(args.json).write_text(text + '\n')
    print(tables(data))
    if args.page:
        renew(ROOT / 'docs/performance.md', data)


if __name__ == '__main__':
    main()
