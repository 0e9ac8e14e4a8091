"""`user-management verify`: the copy held against WorkOS, or against its own journal."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from user_management.cli import edge, follow
from user_management.cli.edge import Desk
from user_management.cli.rebuild import bar, fold_again, named
from user_management.db import jsontext
from user_management.db.session import transaction
from user_management.journal import verifications
from user_management.journal.verifications import ASKED, Finding, Verification
from user_management.listener import backfills, suspects
from user_management.listener import repair as repairing
from user_management.listener import verify as verifying
from user_management.listener.repair import Plan
from user_management.mirror.engine import catalog, proof, rebuild
from user_management.mirror.engine.compare import ACCUSED, Standing
from user_management.mirror.engine.proof import Proof
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.bucket import Priority

PAGES = 20
"""Pages that are compared before their suspects are looked at again."""
WHOLE: Final = "100%"
STANDINGS: Final = tuple(Standing)
PAGE: Final = ("resource", "partition", "from_id", "upto_id", "verified_at", "objects", "hash")
"""What is told of each page."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run as it ended, every page it compared, and what it found."""

    run: Verification
    pages: list[Any]
    findings: list[Finding]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many objects stood how, by resource."""
        total: dict[str, dict[str, int]] = {name: {} for name in self.run.resources}
        for page in self.pages:
            for standing, count in jsontext.loads(page["counts"]).items():
                total[page["resource"]][standing] = total[page["resource"]].get(standing, 0) + count
        return total

    @property
    def objects(self) -> int:
        """How many objects were compared."""
        return sum(page["objects"] for page in self.pages)

    @property
    def accused(self) -> list[Finding]:
        """What must not be, and was not repaired."""
        return [one for one in self.findings if one.standing in ACCUSED and one.repair != repairing.REPAIRED]


def verify(  # noqa: PLR0917  typer reads options from parameters, and calls by keyword
    resources: Annotated[list[str] | None, typer.Argument(help="What to verify; all but sessions if none.")] = None,
    share: Annotated[str, typer.Option(help="Compare only some of its pages, drawn at random, such as 5%.")] = WHOLE,
    repair: Annotated[bool, typer.Option("--repair", help="Show what would be repaired, ask, and repair it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Repair without asking.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was interrupted.")] = False,
    hold_back: Annotated[
        float, typer.Option(min=0, help="Seconds for which WorkOS may hold events back.")
    ] = suspects.HOLD_BACK,
    journal: Annotated[bool, typer.Option("--journal", help="Prove the tables against the journal instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: heads, counts, a hash for each page.")] = False,
) -> None:
    """Prove that the copy equals WorkOS; exit 3 if it does not.  Example: user-management verify users --share 5%."""
    refuse_what_goes_not_together(
        resources, share, others=repair or resume or yes, journal=journal, resume=resume
    )  # fmt: skip
    if journal:
        show_proofs(edge.run(prove(named(resources or []))), as_json=as_json)
        return
    found = edge.run(compare(resources or [], fraction(share), hold_back, resume=resume, quiet=as_json))
    if repair and found.findings:
        found = edge.run(mend(found, yes=yes))
    show(found, as_json=as_json)
    if found.accused:
        raise typer.Exit(edge.DIFFERED)
    if found.run.left_out or not found.pages:
        raise typer.Exit(edge.FAILED)


def refuse_what_goes_not_together(
    resources: list[str] | None, share: str, *, others: bool, journal: bool, resume: bool
) -> None:
    """A wrong usage is a sentence, and nothing is left out silently."""
    if journal and (others or share != WHOLE):
        raise typer.BadParameter("goes with --json and with resources only", param_hint="--journal")
    if resume and (resources or share != WHOLE):
        raise typer.BadParameter("goes on with the resources and the share of the run", param_hint="--resume")


async def asked_for(desk: Desk, names: Sequence[str]) -> list[Resource]:
    """The resources of these names; for none, all but those that are listed user by user, or that WorkOS refuses."""
    if names:
        return named(names)
    async with desk.pool.acquire() as connection:
        refused = await backfills.left_out(connection)
    if refused:
        edge.err.print(not_compared(refused), style="yellow")
    return [one for one in named([]) if one.listing.wanted and one.name not in refused]


def not_compared(names: Iterable[str]) -> str:
    """What is said of resources that WorkOS does not let us list."""
    return f"Not compared, for WorkOS refuses to list them: {', '.join(sorted(names))}."


def fraction(share: str) -> float:
    """A share as a number of at most 1, from a percentage or a fraction."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", share.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < value <= 1:
        raise typer.BadParameter(f"{share} is no share: give something like 5% or 0.05", param_hint="--share")
    return value


async def compare(names: Sequence[str], share: float, hold_back: float, *, resume: bool, quiet: bool) -> Found:
    """Take a run to its end under a progress bar; what it found."""
    async with edge.open_desk() as desk, follow.connected(desk) as workos, follow.followed(desk, workos):
        run = await started(desk, names, share, resume=resume)
        chosen = [one for one in catalog.resources() if one.name in run.resources]
        with watched(quiet=quiet) as progress:
            task = progress.add_task("Comparing", total=None)
            while run.finished_at is None:
                run = await verifying.advance(
                    desk.pool, workos.at(Priority.VERIFY), chosen, run, pages=PAGES, hold_back=hold_back
                )  # fmt: skip
                progress.update(task, completed=run.steps, description=f"Comparing {run.resource}".rstrip())
        return await read(desk, run)


async def started(desk: Desk, names: Sequence[str], share: float, *, resume: bool) -> Verification:
    """A new run, or the one that was interrupted."""
    async with desk.pool.acquire() as connection:
        interrupted = await verifications.unfinished(connection, ASKED)
    if resume and interrupted is not None:
        edge.err.print(f"Going on with the run of {interrupted.started_at:%Y-%m-%d %H:%M}.")
        return interrupted
    if resume:
        edge.err.print("No run was interrupted: this is a new one.", style="yellow")
    if interrupted is not None:
        edge.err.print("An interrupted run is given up; --resume would have gone on with it.", style="yellow")
    return await verifying.begin(desk.pool, await asked_for(desk, names), kind=ASKED, share=share)


async def read(desk: Desk, run: Verification) -> Found:
    """What a run came to."""
    async with desk.pool.acquire() as connection:
        return Found(run, await verifications.pages(connection, run), await verifications.findings(connection, run))


def watched(*, quiet: bool) -> Progress:
    """A bar over pages."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} pages"),
               TimeElapsedColumn())  # fmt: skip
    return Progress(*columns, console=edge.err, disable=quiet)


async def mend(found: Found, *, yes: bool) -> Found:
    """Show what would be done, ask, do it: first the journal's word where a table departs from it, then WorkOS's."""
    accused = sorted({one.resource for one in found.accused})
    departed = sum(one.total for one in await fold_again(accused, swap=False)) if accused else 0
    async with edge.open_desk() as desk, follow.connected(desk) as workos:
        plans = await capped(desk, await repairing.plan(desk.pool, workos, catalog.resources(), found.findings))
        if departed:
            edge.err.print(f"{departed:,} rows are not as the journal says: rebuild {', '.join(accused)} first.")
        edge.err.print(planned(plans))
        if not yes and not typer.confirm("Do this?", err=True):
            return found
        if departed:
            await fold_again(accused, swap=True)
            again = [await repairing.reread(desk.pool, one) for one in found.findings]
            plans = await capped(desk, await repairing.plan(desk.pool, workos, catalog.resources(), again))
        await carry_out(desk, found.run, plans)
        return await read(desk, found.run)


async def capped(desk: Desk, plans: list[Plan]) -> list[Plan]:
    """The plans, without deletions if they are more than may be done at once."""
    cap = desk.settings.backfill_max_deletions
    deletions = sum(plan.action == repairing.DELETE for plan in plans)
    if deletions <= cap:
        return plans
    edge.err.print(
        f"{deletions:,} deletions are more than BACKFILL_MAX_DELETIONS ({cap:,}): none is done.", style="red"
    )
    return [plan for plan in plans if plan.action != repairing.DELETE]


async def carry_out(desk: Desk, run: Verification, plans: Sequence[Plan]) -> None:
    """Do what is planned, each in a transaction of its own, and note what came of it."""
    for plan in plans:
        nothing = plan.action == repairing.NOTHING
        how = plan.outcome if nothing else await repairing.carry_out(desk.pool, catalog.resources(), plan)
        async with transaction(desk.pool) as connection:
            await verifications.repaired(connection, run, plan.finding, how)


def planned(plans: Sequence[Plan]) -> Table:
    """What would be done, a line each."""
    lines = Table("resource", Column("id", overflow="fold"), "found", "would be done", "why not")
    for plan in plans:
        one = plan.finding
        lines.add_row(*map(escape, (one.resource, one.object_id, one.standing, plan.action, plan.reason)))
    return lines


def show(found: Found, *, as_json: bool) -> None:
    """Say what a run came to; what it could not compare on stderr."""
    left_out = found.run.left_out
    if left_out:
        edge.err.print(
            f"{not_compared(left_out)} See `backfill`, which leaves out what is to be done without.", style="red"
        )
    if as_json:
        edge.print_json(as_data(found))
        return
    edge.out.print(table(found))
    for one in found.findings:
        where = f" ({', '.join(one.keys)})" if one.keys else ""
        said = f"{one.standing}: {one.resource} {one.object_id}{where} {one.repair}".rstrip()
        edge.out.print(said, markup=False, soft_wrap=True)
    partly = bool(left_out) or found.run.share < 1
    whole = f" in the {found.objects:,} objects that were compared" if partly else ""
    moving = sum(counts.get(Standing.IN_FLIGHT.value, 0) for counts in found.counts.values())
    if moving:
        edge.out.print(f"{moving:,} changed whenever they were looked at and were not judged: verify them again.")
    if not found.pages:
        edge.out.print("Nothing was compared: the share drew no page. Draw again, or a larger one.", style="yellow")
    elif found.accused:
        edge.out.print(f"{len(found.accused):,} objects are not as WorkOS says{whole}.", style="bold red")
    else:
        edge.out.print(f"The copy is what WorkOS says{whole}.", style="green")


def table(found: Found) -> Table:
    """How many objects of each resource stood how."""
    lines = Table(Column("resource", no_wrap=True), *(standing.value for standing in STANDINGS), padding=0)
    for name, counts in found.counts.items():
        lines.add_row(name, *(f"{counts.get(standing.value, 0):,}" for standing in STANDINGS))
    return lines


def as_data(found: Found) -> dict[str, Any]:
    """A run as JSON shows it."""
    run = found.run
    return {
        "id": run.id,
        "share": run.share,
        "compared": {"pages": len(found.pages), "objects": found.objects},
        "left_out": run.left_out,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "head_before": run.head_before,
        "head_after": run.head_after,
        "counts": found.counts,
        "accused": len(found.accused),
        "findings": [asdict(one) for one in found.findings],
        "pages": [
            {name: page[name] for name in PAGE} | {"counts": jsontext.loads(page["counts"])} for page in found.pages
        ],
    }


async def prove(resources: Sequence[Resource]) -> list[Proof]:
    """Fold the journal beside the tables and compare their hashes."""
    found = []
    async with edge.open_desk() as desk:
        with bar() as progress:
            task = progress.add_task("Folding the journal", total=None, rate="")
            async for step in rebuild.folded(desk.pool, resources, proof.prove, swap=False):
                if isinstance(step, Proof):
                    found.append(step)
                else:
                    speed = edge.rate(step.position, progress.tasks[0].elapsed or 0)
                    progress.update(task, completed=step.position, total=step.head, rate=speed)
    return found


def show_proofs(proofs: Sequence[Proof], *, as_json: bool) -> None:
    """Say what the hashes came to, and where each difference is; exit 3 if there is one."""
    if as_json:
        edge.print_json([asdict(one) for one in proofs])
    else:
        lines = Table("resource", "rows", "buckets that differ", "rows that differ")
        for one in proofs:
            lines.add_row(one.resource, f"{one.rows:,}", f"{len(one.differing)} of {proof.BUCKETS}", f"{one.wrong:,}")
        edge.out.print(lines)
        for one in proofs:
            for spot in one.spots:
                said = f"{one.resource} bucket {spot.bucket} {spot.id}: {spot.where}"
                edge.out.print(said, markup=False, soft_wrap=True)
    if any(one.wrong or one.differing for one in proofs):
        raise typer.Exit(edge.DIFFERED)
    if not as_json:
        edge.out.print("The tables are what the journal says.", style="green")
