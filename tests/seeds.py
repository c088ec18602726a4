"""A pytest plugin that runs tests on other random numbers.

    pytest -p tests.seeds --seeds 50 tests/modules

runs each test 50 times. What a fixture of a module or session has drawn
stays as it was drawn first.
"""

import pytest
import torch


def pytest_addoption(parser):
    parser.addoption('--seeds', type=int, default=1)


def pytest_generate_tests(metafunc):
    count = metafunc.config.getoption('--seeds')
    metafunc.parametrize('other_numbers', range(count), indirect=True)


@pytest.fixture(autouse=True)
def other_numbers(request, monkeypatch):
    shift = 1000 * request.param
    seed = torch.manual_seed

    class Generator(torch.Generator):
        def manual_seed(self, number):
            return super().manual_seed(number + shift)

    monkeypatch.setattr(torch, 'Generator', Generator)
    monkeypatch.setattr(torch, 'manual_seed', lambda n: seed(n + shift))
