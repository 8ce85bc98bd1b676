"""Amazon's own client, aimed at the running product."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from flask import Flask

from tests.fixtures.people import Cast
from tests.fixtures.serving import serving


@pytest.fixture(scope="session")
def models() -> Any:
    """Amazon's descriptions of its services: slow to read, so once."""
    return boto3.session.Session()


@pytest.fixture
def amazon(app: Flask, models: Any) -> Iterator[Callable[[str], Any]]:
    """`amazon(token)`: the client of a program with that token."""
    with serving(app) as address, contextlib.ExitStack() as open_clients:

        def client(token: str | None) -> Any:
            made = models.client(
                "sagemaker-a2i-runtime", endpoint_url=f"{address}/api/a2i", region_name="local",
                aws_access_key_id="reviewqueue", aws_secret_access_key="unused", aws_session_token=token,
                config=Config(retries={"total_max_attempts": 1}),
            )  # fmt: skip
            open_clients.callback(made.close)
            return made

        yield client


@pytest.fixture
def a2i(amazon: Callable[[str], Any], cast: Cast) -> Any:
    """The client of the submitter."""
    return amazon(cast.submitter.token)
