from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from embedded.resources import Resources


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture(scope="package")
def stack(aws: AwsEndpoint) -> Resources:
    return resources.create(aws)


@pytest.fixture
def repository() -> Path:
    return Path(__file__).parents[3]
