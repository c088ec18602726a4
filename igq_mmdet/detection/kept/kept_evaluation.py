"""An evaluation that leaves out the images it has results of."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmdet.evaluation import CocoMetric
from mmengine.dist import broadcast_object_list
from torch.utils.data import DataLoader

from ...errors import DataError
from ..evaluation.precise_coco_metric import keep_matches, kept_matches
from .prediction_lines import CannotKeep, to_entry, to_sample, with_masks
from .prediction_store import PredictionStore

# Of a DataLoader, as its constructor takes them.
LOADER = (
    'num_workers',
    'collate_fn',
    'pin_memory',
    'timeout',
    'worker_init_fn',
    'multiprocessing_context',
    'generator',
    'prefetch_factor',
)


class UnfinishedBatches:
    """Stands in for a loader; gives only batches with unfinished images.

    A batch of which every image is finished is handed to ``replay`` in its
    turn, so that the evaluator sees all images in the usual order. Its
    images are not even read.

    Args:
        loader (DataLoader): The loader of a test loop.
        finished (Callable): Whether a batch, by its indices, is.
        replay (Callable): Takes the indices of a finished batch.

    Attributes:
        current (list[int]): Indices of the batch given last.
    """

    def __init__(
        self,
        loader: DataLoader,
        finished: Callable[[Sequence[int]], bool],
        replay: Callable[[Sequence[int]], None],
    ) -> None:
        self.loader = loader
        self.dataset = loader.dataset
        self.replay = replay
        self.current: list[int] = []
        batches: Any = loader.batch_sampler
        self.batches = [list(batch) for batch in batches]
        self.finished = [finished(batch) for batch in self.batches]

    def __len__(self) -> int:
        return self.finished.count(False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator[Any]:
        todo = [
            batch
            for batch, finished in zip(
                self.batches, self.finished, strict=True
            )
            if not finished
        ]
        options = {name: getattr(self.loader, name) for name in LOADER}
        rest = iter(
            DataLoader(self.dataset, batch_sampler=todo, **options)
            if todo
            else ()
        )
        for batch, finished in zip(self.batches, self.finished, strict=True):
            if finished:
                self.replay(batch)
            else:
                self.current = batch
                yield next(rest)


class KeptEvaluation:
    """One test loop whose predictions go to a store, and come from it.

    Args:
        loop (TestLoop): With a loader and an evaluator.
        store (PredictionStore): Of the model that is evaluated.
        image_ids (Sequence): Of the dataset, by index.
        judge (str): Digest of the metrics, see :func:`evaluator_digest`.

    Attributes:
        seconds (float): Time that replayed images took when they were new.
    """

    def __init__(
        self,
        loop: Any,
        store: PredictionStore,
        image_ids: Sequence[Any],
        judge: str,
    ) -> None:
        self.loop = loop
        self.store: PredictionStore | None = store
        self.image_ids = image_ids
        self.judge = judge
        self.finished = store.finished
        self.seconds = 0.0
        metrics = loop.evaluator.metrics
        self.rle = all(isinstance(metric, CocoMetric) for metric in metrics)
        self._loader = loop.dataloader
        self._process: Any = loop.evaluator.process
        self._unfinished = UnfinishedBatches(
            loop.dataloader, self._is_finished, self._replay
        )
        self._started = self._clock = 0.0

    def run(self, test: Callable[[], Any]) -> tuple[dict[str, Any], float]:
        """Evaluates what is not finished.

        Args:
            test (Callable): Runs the loop; returns metrics.

        Returns:
            tuple[dict, float]: Metrics, and seconds of the evaluation
            including those of earlier processes.
        """
        known = self.known_metrics()
        if known is not None:
            self.close()
            return known
        self.start()
        try:
            return self.finish(test())
        finally:
            self.stop()

    def known_metrics(self) -> tuple[dict[str, Any], float] | None:
        """Metrics and seconds, if all images were judged like this before.

        All processes get the answer of the main one.
        """
        assert self.store is not None
        kept = self.store.metrics
        known: list[Any] = [None]
        if (
            kept is not None
            and kept['evaluator'] == self.judge
            and 'matches' in kept  # earlier versions have none
            and all(one in self.finished for one in self.image_ids)
        ):
            known = [(kept['metrics'], kept['seconds'])]
        broadcast_object_list(known)
        return known[0]

    def finish(self, metrics: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Keeps the metrics as well, see :meth:`run`.

        Args:
            metrics (dict): Of all images.
        """
        seconds = self.seconds + time.perf_counter() - self._started
        if self.store is not None:
            matches = kept_matches(self.loop.evaluator)
            self.store.finish(metrics, seconds, self.judge, matches)
        return metrics, seconds

    def close(self) -> None:
        """Closes the store."""
        if self.store is not None:
            self.store.close()

    def start(self) -> None:
        """Puts loader and evaluator of the loop in place."""
        self.loop.dataloader = self._unfinished
        keep_matches(self.loop.evaluator)
        self.loop.evaluator.process = self._process_and_keep
        for metric in self.loop.evaluator.metrics:
            metric.results.clear()  # of an evaluation that was broken off
        self._started = self._clock = time.perf_counter()

    def stop(self) -> None:
        """Leaves the loop as it was and closes the store."""
        self.loop.dataloader = self._loader
        del self.loop.evaluator.process
        self.close()

    def _is_finished(self, batch: Sequence[int]) -> bool:
        return all(self.image_ids[index] in self.finished for index in batch)

    def _replay(self, batch: Sequence[int]) -> None:
        entries = [self.finished[self.image_ids[index]] for index in batch]
        samples = [to_sample(entry, not self.rle) for entry in entries]
        self.seconds += sum(entry['seconds'] for entry in entries)
        try:
            self._process(data_samples=samples, data_batch=None)
        except Exception as error:  # a metric can be any code
            raise DataError(
                f'image {entries[0]["img_id"]}: the metrics need more than '
                f'what is kept of it ({type(error).__name__}: {error}); '
                'leave --resume out'
            ) from error
        self._clock = time.perf_counter()

    def _process_and_keep(
        self, data_samples: Sequence[Any], data_batch: Any = None
    ) -> None:
        entries = self._entries(data_samples)
        if self.rle and entries:
            data_samples = [
                with_masks(sample, entry['masks'])
                if 'masks' in entry
                else sample
                for sample, entry in zip(data_samples, entries, strict=True)
            ]
        self._process(data_samples=data_samples, data_batch=data_batch)
        seconds = time.perf_counter() - self._clock
        for entry in entries:
            assert self.store is not None
            self.store.add({**entry, 'seconds': seconds / len(entries)})
        self._clock = time.perf_counter()

    def _entries(self, samples: Sequence[Any]) -> list[dict[str, Any]]:
        if self.store is None:
            return []
        batch = self._unfinished.current
        try:
            return [
                to_entry(sample, self.image_ids[index], not self.rle)
                for sample, index in zip(samples, batch, strict=True)
            ]
        except CannotKeep as error:
            self.store.discard()
            self.store = None
            logging.getLogger('igq_mmdet').warning(
                f'predictions are not kept: {error}; an interrupted '
                'evaluation of this model starts from its first image'
            )
            return []
