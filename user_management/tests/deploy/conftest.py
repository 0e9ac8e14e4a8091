import os
import subprocess
from pathlib import Path

from user_management.tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"


def run(*command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What a command answers, for whom no setting of ours is set but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("USER_MANAGEMENT_")}
    return subprocess.run(  # noqa: S603  our own commands
        command,
        cwd=cwd,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
