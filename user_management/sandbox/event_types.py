"""The event types that `GET /events` knows; any other name in `events` is refused."""

from collections.abc import Iterator
from typing import Final

_FAMILIES: Final = {
    "user": "created updated deleted",
    "organization": "created updated deleted",
    "organization_membership": "created updated deleted",
    "organization_domain": "created updated deleted verified verification_failed",
    "invitation": "created accepted resent revoked",
    "session": "created revoked",
    "role": "created updated deleted",
    "organization_role": "created updated deleted",
    "permission": "created updated deleted",
    "group": "created updated deleted member_added member_removed",
    "password_reset": "created succeeded",
    "email_verification": "created",
    "magic_auth": "created",
    "connection": "activated deactivated deleted saml_certificate_renewed saml_certificate_renewal_required",
    "dsync": "activated deactivated deleted",
    "dsync.user": "created updated deleted",
    "dsync.group": "created updated deleted user_added user_removed",
    "dsync.token": "created revoked",
    "api_key": "created updated revoked",
    "flag": "created updated deleted rule_updated",
    "feature_flags.flag": "created updated deleted",
    "feature_flags.flag_rule": "created updated deleted",
    "feature_flags.flag_target": "created deleted",
}
_METHODS: Final = "email_verification magic_auth mfa oauth passkey password sso"


def _all() -> Iterator[str]:
    for family, verbs in _FAMILIES.items():
        yield from (f"{family}.{verb}" for verb in verbs.split())
    for method in _METHODS.split():
        yield from (f"authentication.{method}_{outcome}" for outcome in ("succeeded", "failed"))
    yield from ("authentication.sso_started", "authentication.sso_timed_out")
    yield from ("authentication.radar_risk_detected", "authentication.reauthentication_succeeded")


KNOWN: Final = frozenset(_all())
"""Every name WorkOS documents among those that concern users, organizations and access."""
