"""Signals become one exception, whatever happens on the way."""

import os
import signal
import threading

import pytest

from igq_mmdet.jobs.interruption import Interrupted, interruptible


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_raises_with_the_status_of_a_shell(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as found, interruptible():
        os.kill(os.getpid(), number)
    assert found.value.exit_status == 128 + number
    assert signal.getsignal(number) == before


def test_a_second_signal_does_not_disturb_cleaning_up():
    cleaned = []
    with pytest.raises(Interrupted) as found, interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleaned.append(True)
    assert cleaned and found.value.exit_status == 143


def test_an_error_that_follows_counts_as_the_interruption():
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError('DataLoader worker exited') from None
    with pytest.raises(RuntimeError), interruptible():
        raise RuntimeError('no signal was sent')


def test_a_swallowed_one_is_raised_at_the_end():
    with pytest.raises(Interrupted), interruptible():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            pass


def test_in_another_thread_it_leaves_handlers_alone():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def work():
        with interruptible():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
