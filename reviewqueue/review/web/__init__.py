"""HTML routes of review: home, the desk, handing on, and what was decided.

The desk's script asks with the header `X-Desk`; then what would be a redirect to the next claim is its page at once
(its address in `X-Location`), so that a decision and the next item are one round trip. Without the script the same
forms work with redirects.
"""

from reviewqueue.review.web import afterwards, desk, handing, home
from reviewqueue.review.web.filters import blueprint

__all__ = ["afterwards", "blueprint", "desk", "handing", "home"]
