"""The schema at a glance: columns, constraints, indexes. No behaviour.

`states.py` declares every state with its meaning; each other file holds one family of tables.
"""

from reviewqueue.models.alerts import Alert
from reviewqueue.models.audit import AuditCheckpoint, AuditContent, AuditEvent, AuditSeal, AuditWaiting
from reviewqueue.models.background import OutboxRow, RelayLease
from reviewqueue.models.base import Base, UtcDateTime
from reviewqueue.models.datasets import DatasetDuplicate, DatasetSchedule, DatasetShard, DatasetVersion, TrainedModel
from reviewqueue.models.gold import Gold, Standing
from reviewqueue.models.imports import Import, ImportChunk, ImportFault
from reviewqueue.models.insights import GatheredUpTo, ItemDay, JudgedItem, Outcome, Prediction
from reviewqueue.models.items import IdempotencyKey, Item, ItemDoubt, ItemLikeness, OptOut
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
    SpentState,
    SsoIdentity,
    Token,
    TokenQueue,
    WebSession,
)
from reviewqueue.models.queues import Brake, ProposedVersion, Queue, QueueVersion
from reviewqueue.models.tasks import Decision, Draft, PendingRelease, Resolution, Skip, Task
from reviewqueue.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Alert",
    "AuditCheckpoint",
    "AuditContent",
    "AuditEvent",
    "AuditSeal",
    "AuditWaiting",
    "Base",
    "Brake",
    "Bulk",
    "BulkItem",
    "Comment",
    "DatasetDuplicate",
    "DatasetSchedule",
    "DatasetShard",
    "DatasetVersion",
    "Decision",
    "Draft",
    "GatheredUpTo",
    "Gold",
    "HalfLogin",
    "IdempotencyKey",
    "Import",
    "ImportChunk",
    "ImportFault",
    "InstructionsRead",
    "Item",
    "ItemDay",
    "ItemDoubt",
    "ItemLikeness",
    "ItemMedia",
    "JudgedItem",
    "LoginThrottle",
    "Media",
    "Membership",
    "Notice",
    "OptOut",
    "OutboxRow",
    "Outcome",
    "PendingRelease",
    "Person",
    "Prediction",
    "Preference",
    "ProposedVersion",
    "Queue",
    "QueueVersion",
    "RecoveryCode",
    "RelayLease",
    "Resolution",
    "SavedView",
    "SecondFactor",
    "Skip",
    "SpentState",
    "SsoIdentity",
    "Standing",
    "Task",
    "Token",
    "TokenQueue",
    "TrainedModel",
    "UtcDateTime",
    "WebSession",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
