"""Our errors as Amazon's programs know them: the type, the status and the message of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST_MESSAGE = 1024
_BY_STATUS = {
    401: ("UnrecognizedClientException", 401),
    403: ("AccessDeniedException", 403),
    404: ("ResourceNotFoundException", 404),
    413: ("ServiceQuotaExceededException", 402),
    429: ("ThrottlingException", 429),
    500: ("InternalServerException", 500),
    # Not 500, so that those who read no more than the status try again.
    503: ("InternalServerException", 503),
}
_OTHERS = ("ValidationException", 400)
_BY_CODE = {"external_id_taken": ("ConflictException", 409)}


def translated(problem: Mapping[str, Any]) -> tuple[str, int, str]:
    """Type, status and message for an answer in problem details (RFC 9457). The message names the first faults."""
    kind, status = _BY_CODE.get(problem["code"]) or _BY_STATUS.get(problem["status"], _OTHERS)
    faults = "; ".join(f"{fault['pointer']} {fault['detail']}" for fault in problem.get("errors", []))
    return kind, status, f"{problem['detail']} {faults}".strip()[:LONGEST_MESSAGE]
