"""The whole run: every figure of docs/performance.md but allocation's."""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch

import igq_mmdet as igq
from igq_mmdet.report.environment import environment

from .backbones import (
    COMPILED,
    agreement,
    compiled_backbone,
    first_line,
    foreign,
)
from .forms import (
    FLOAT,
    FORMS,
    METHODS,
    RUNTIMES,
    backbone_input,
    calibrated,
    compiled,
    float_detector,
    form_name,
    image,
)
from .kinds import Profile, totals
from .memory import peak_memory
from .rivals import versions
from .timing import CLOCKS, alternate, summarise

CALIBRATIONS = 3  # rounds
IMAGES = (1, 8)  # whose calibrations' memory is compared


class Run:
    """One measurement after the other, into one dictionary.

    Args:
        args (argparse.Namespace): Of the command line.
        folder (str): For checkpoints and exported files.
    """

    def __init__(self, args: argparse.Namespace, folder: str) -> None:
        self.args = args
        self.folder = folder
        self.clock = CLOCKS[args.clock]
        self.detector = float_detector(args.config)
        self.batch = image(*args.size)
        self.models: dict[str, Any] = {FLOAT: self.detector}
        self.data: dict[str, Any] = {
            'schema': 'igq_mmdet.benchmark/2',
            'environment': environment(),
            'rivals': versions(),
            'threads': args.threads,
            'config': args.config,
            'size': list(args.size),
            'rounds': args.rounds,
            'clock': args.clock,
            'bits': args.bits,
            'groups': args.groups,
            'left_out': {},
            'prepared': {},
        }

    def all(self) -> dict[str, Any]:
        """Everything, as JSON-ready figures."""
        # blocks of several models share their code; each is compiled
        torch._dynamo.config.recompile_limit = 1000
        torch._dynamo.config.accumulated_recompile_limit = 10000
        steps = [self.calibration, self.whole, self.backbones]
        if not self.args.brief:
            steps += [self.profile, self.one_thread, self.memory]
        for step in steps:
            start = self.clock()
            step()
            taken = self.clock() - start
            print(f'{step.__name__}: {taken:.0f} s', file=sys.stderr)
        return self.data

    def spec(self, method: str, bits: int | None = None) -> igq.QuantSpec:
        """How one method is set here."""
        own = bits or self.args.bits
        return igq.QuantSpec(own, own, self.args.groups, method)

    def step(self, model: Any) -> Callable[[], Any]:
        """One image through one model."""
        return lambda: model.test_step(self.batch)

    def calibration(self) -> None:
        """Makes the quantized forms, in turns with float passes."""
        stages: dict[str, dict[str, list[float]]] = {m: {} for m in METHODS}

        def make(method: str) -> None:
            self.models[form_name(method, RUNTIMES[0])] = calibrated(
                self.detector,
                self.spec(method),
                self.batch,
                self.clock,
                stages[method],
            )

        runs = {FLOAT: self.step(self.detector)}
        runs.update({m: lambda m=m: make(m) for m in METHODS})
        rounds = min(CALIBRATIONS, self.args.rounds)
        found = summarise(alternate(runs, rounds, self.clock), FLOAT)
        self.data['calibration'] = {}
        for method in METHODS:
            simulated = self.models[form_name(method, RUNTIMES[0])]
            start = self.clock()
            integer = igq.to_integer(simulated)
            taken = self.clock() - start
            self.models[form_name(method, RUNTIMES[1])] = integer
            self.data['calibration'][method] = {
                **found[method],
                'float_forwards': 1 / found[method]['times_faster'],
                'stages': {
                    name: statistics.median(seconds[-rounds:])
                    for name, seconds in stages[method].items()
                },
                'to_integer': taken,
                'still_simulated': {
                    name: reason
                    for name, reason in integer.igq_runtime.items()
                    if reason is not None
                },
                'layers': len(integer.igq_runtime),
            }

    def whole(self) -> None:
        """The detector in every form."""
        steps = {name: self.step(self.models[name]) for name in FORMS}
        if self.args.compile:
            for name in (FLOAT, form_name('igq', RUNTIMES[0])):
                step = self.step(compiled(self.models[name]))
                self._first(name + COMPILED, step, steps)
        self.data['instances'] = {
            name: len(step()[0].pred_instances) for name, step in steps.items()
        }
        found = alternate(steps, self.args.rounds, self.clock)
        self.data['whole'] = summarise(found, FLOAT)

    def backbones(self) -> None:
        """The backbone in every form, and in what others make of it."""
        x = backbone_input(self.batch, self.detector)
        steps: dict[str, Callable[[], Any]] = {
            name: lambda m=self.models[name]: m.backbone(x) for name in FORMS
        }
        if self.args.compile:
            for name in (FLOAT, form_name('igq', RUNTIMES[0])):
                step = compiled_backbone(self.models[name])
                self._first(
                    f'backbone, {name}{COMPILED}',
                    lambda s=step: s(x),
                    steps,
                )
        if self.args.rivals:
            steps.update(
                foreign(
                    self.detector.backbone,
                    x,
                    self.args.threads,
                    self.folder,
                    self.clock,
                    self.data,
                )
            )
        found = alternate(steps, self.args.rounds, self.clock)
        self.data['backbone'] = summarise(found, FLOAT)
        eight = calibrated(
            self.detector, self.spec('igq', 8), self.batch, self.clock, {}
        )
        steps['igq simulated, W8A8'] = lambda: eight.backbone(x)
        self.data['agreement'] = agreement(steps)

    def _first(
        self,
        name: str,
        step: Callable[[], Any],
        steps: dict[str, Callable[[], Any]],
    ) -> None:
        """Compiles by running once; adds what runs to the steps."""
        start = self.clock()
        try:
            step()
        except Exception as error:  # whatever the compiler stumbles over
            self.data['left_out'][name] = first_line(error)
            return
        self.data['prepared'][name] = self.clock() - start
        steps[name.removeprefix('backbone, ')] = step

    def profile(self) -> None:
        """Where the time goes, with hooks on the modules."""
        profiles = {
            name: Profile(self.models[name], self.clock) for name in FORMS
        }
        runs: dict[str, list[Any]] = {name: [] for name in FORMS}
        for _ in range(self.args.rounds):
            for name, profile in profiles.items():
                runs[name].append(profile.run(self.step(self.models[name])))
        for profile in profiles.values():
            profile.close()
        tables = {
            'kinds': {n: totals(own, by=1) for n, own in runs.items()},
            'backbone_kinds': {
                n: totals(own, by=1, part='backbone')
                for n, own in runs.items()
            },
            'parts': {n: totals(own, by=0) for n, own in runs.items()},
        }
        self.data['profile'] = {
            table: {
                row: summarise(
                    {
                        name: found[name].get(row, [0.0] * self.args.rounds)
                        for name in FORMS
                    },
                    FLOAT,
                )
                for row in found[FLOAT]
            }
            for table, found in tables.items()
        }
        self.data['profile']['cells'] = {
            name: [
                [*key, statistics.median(run.get(key, 0.0) for run in own)]
                for key in own[0]
            ]
            for name, own in runs.items()
        }

    def one_thread(self) -> None:
        """The detector once more, on one thread."""
        if self.args.threads == 1:
            return
        torch.set_num_threads(1)
        steps = {name: self.step(self.models[name]) for name in FORMS}
        rounds = min(3, self.args.rounds)
        found = alternate(steps, rounds, self.clock)
        torch.set_num_threads(self.args.threads)
        self.data['one_thread'] = summarise(found, FLOAT)

    def memory(self) -> None:
        """Files, and peak memory in processes of their own."""
        threads = self.args.threads
        common = {'config': self.args.config, 'size': list(self.args.size)}
        self.data['file'], self.data['memory'] = {}, {}
        files = {}
        for method in METHODS:
            files[method] = os.path.join(self.folder, f'{method}.safetensors')
            start = self.clock()
            igq.save(
                self.models[form_name(method, RUNTIMES[0])], files[method]
            )
            saved = self.clock()
            igq.load(self.detector, files[method])
            self.data['file'][method] = {
                'save': saved - start,
                'load': self.clock() - saved,
                'bytes': os.path.getsize(files[method]),
            }
        for name in FORMS:
            file = files.get(name.split()[0], '')
            self.data['memory'][name] = peak_memory(
                'of_form', threads, name=name, file=file, **common
            )
        self.data['calibration_memory'] = {
            METHODS[0]: {
                str(images): peak_memory(
                    'of_calibration',
                    threads,
                    method=METHODS[0],
                    bits=self.args.bits,
                    groups=self.args.groups,
                    images=images,
                    **common,
                )
                for images in IMAGES
            }
        }
