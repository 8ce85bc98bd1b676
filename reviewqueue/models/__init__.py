"""The schema at a glance: columns, constraints, indexes. No behaviour.

`states.py` declares every state with its meaning; each other file holds one family of tables.
"""

from reviewqueue.models.audit import AuditContent, AuditEvent, AuditSeal
from reviewqueue.models.background import OutboxRow, RelayLease
from reviewqueue.models.base import Base, UtcDateTime
from reviewqueue.models.datasets import DatasetShard, DatasetVersion
from reviewqueue.models.gold import Gold, Standing
from reviewqueue.models.imports import Import, ImportChunk, ImportFault
from reviewqueue.models.items import IdempotencyKey, Item, ItemLikeness, OptOut
from reviewqueue.models.leading import Bulk, BulkItem, SavedView
from reviewqueue.models.media import ItemMedia, Media
from reviewqueue.models.notices import Comment, InstructionsRead, Notice
from reviewqueue.models.people import (
    HalfLogin,
    LoginThrottle,
    Membership,
    Person,
    Preference,
    RecoveryCode,
    SecondFactor,
    Token,
    TokenQueue,
    WebSession,
)
from reviewqueue.models.queues import Brake, Queue, QueueVersion
from reviewqueue.models.tasks import Decision, Draft, PendingRelease, Resolution, Skip, Task
from reviewqueue.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "AuditContent",
    "AuditEvent",
    "AuditSeal",
    "Base",
    "Brake",
    "Bulk",
    "BulkItem",
    "Comment",
    "DatasetShard",
    "DatasetVersion",
    "Decision",
    "Draft",
    "Gold",
    "HalfLogin",
    "IdempotencyKey",
    "Import",
    "ImportChunk",
    "ImportFault",
    "InstructionsRead",
    "Item",
    "ItemLikeness",
    "ItemMedia",
    "LoginThrottle",
    "Media",
    "Membership",
    "Notice",
    "OptOut",
    "OutboxRow",
    "PendingRelease",
    "Person",
    "Preference",
    "Queue",
    "QueueVersion",
    "RecoveryCode",
    "RelayLease",
    "Resolution",
    "SavedView",
    "SecondFactor",
    "Skip",
    "Standing",
    "Task",
    "Token",
    "TokenQueue",
    "UtcDateTime",
    "WebSession",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
