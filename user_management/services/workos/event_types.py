"""The types of WorkOS's events that belong to user management, whether or not they change something that is copied."""

from workos.events.models.event_schema import EventSchema

STATELESS = frozenset(
    """
    authentication.email_verification_failed authentication.email_verification_succeeded
    authentication.magic_auth_failed authentication.magic_auth_succeeded
    authentication.mfa_failed authentication.mfa_succeeded
    authentication.oauth_failed authentication.oauth_succeeded
    authentication.passkey_failed authentication.passkey_succeeded
    authentication.password_failed authentication.password_succeeded
    authentication.radar_risk_detected
    authentication.sso_failed authentication.sso_succeeded
    connection.saml_certificate_renewal_required connection.saml_certificate_renewed
    dsync.token.created dsync.token.revoked
    email_verification.created magic_auth.created password_reset.created password_reset.succeeded
    """.split()
)
"""What happened, without an object that stays: kept in the journal, and only there."""

ELSEWHERE = (
    "action.", "agent.", "authentication.reauthentication", "authentication.sso_started",
    "authentication.sso_timed_out", "feature_flags.", "pipes.", "radar.", "resource_export.", "vault.",
    "waitlist_user.",
)  # fmt: skip
"""What types begin with that are known and left alone: of other products, or told by others too."""


def new(followed: set[str]) -> list[str]:
    """The types that the installed SDK knows and that nobody here has decided about yet."""
    known = EventSchema._DISPATCH  # noqa: SLF001  the SDK's own table of types is told nowhere else
    return sorted(name for name in known if name not in followed and not name.startswith(ELSEWHERE))
