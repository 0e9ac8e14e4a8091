from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What one sandbox is told when it starts."""

    api_key: str = "sk_sandbox"
    client_id: str = "client_sandbox"
    users: int = 0
    organizations: int | None = None
    seed: int = 1
    seed_until: datetime | None = None
    backlog: int = 0
    activity: float = 0.0
    hold_back: float = 2.0
    retention_days: int = 30
    rate_limits: bool = True
    cascade_events: bool = True
    unknown_cursor: str = "refuse"
    require_verified_email: bool = False
    require_organization: bool = True
    issuer: str = ""
    faults: Mapping[str, float] = field(default_factory=dict)
    fault_seed: int = 1
    fault_slow_seconds: float = 5.0
    state: str = ""
    webhook_url: str = ""
    webhook_secret: str = field(default="", repr=False)

    @property
    def organizations_count(self) -> int:
        """How many organizations to seed: what was asked for, else one for every fifty users."""
        return -(-self.users // 50) if self.organizations is None else self.organizations
