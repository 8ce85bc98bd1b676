"""The Python client of reviewqueue: submit AI outputs, wait for people's decisions, gate functions."""

from reviewqueue_client.async_client import AsyncClient, AsyncResolutions
from reviewqueue_client.client import Client, Resolutions
from reviewqueue_client.errors import (
    ApiError,
    BadSignature,
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    NotJson,
    QueueFull,
    Rejected,
    ReviewQueueError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unfit,
    Unreachable,
    WaitTimeout,
)
from reviewqueue_client.gating import gate
from reviewqueue_client.models import FeedEntry, Item, ItemFields, Media, Resolution, Result, Routing
from reviewqueue_client.version import __version__
from reviewqueue_client.webhooks import verify_webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncResolutions",
    "BadSignature",
    "Client",
    "Conflict",
    "Fault",
    "FeedEntry",
    "Forbidden",
    "Invalid",
    "Item",
    "ItemFields",
    "Media",
    "Misconfigured",
    "NotFound",
    "NotJson",
    "QueueFull",
    "Rejected",
    "Resolution",
    "Resolutions",
    "Result",
    "ReviewQueueError",
    "Routing",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unfit",
    "Unreachable",
    "WaitTimeout",
    "__version__",
    "gate",
    "verify_webhook",
]
