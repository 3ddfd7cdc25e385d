"""``slipway dlq``: look at dead letters and send them back."""

import json
from collections.abc import Callable
from typing import Any

import click

from ..config import KafkaSettings, load_here
from ..events import replay
from ..events.replay import Filter, Queue
from .output import output_option, show


@click.group()
def dlq() -> None:
    """Inspect and replay dead letters: events that a service could not process.

    KAFKA_BOOTSTRAP_SERVERS names the brokers, by default those of `slipway up` in this folder. TOPIC is where
    the event was published, GROUP the service that could not process it.

    \b
    Examples:
      slipway dlq ls
      slipway dlq ls orders.order.v1 users --reason failed
      slipway dlq show orders.order.v1 users 2:17
      slipway dlq replay orders.order.v1 users --dry-run
      slipway dlq replay orders.order.v1 users --rate 50 --key 7f3a
      slipway dlq purge orders.order.v1 users --yes
    """  # noqa: D301


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--type", "kind", default="", help="Only events of this type."),
        click.option("--key", default="", help="Only events of this key (the aggregate's id)."),
        click.option("--reason", default="", help="Only dead letters with this reason (invalid, failed, parked, ...)."),
    ):
        command = option(command)
    return command


@dlq.command("ls")
@click.argument("topic", default="")
@click.argument("group", default="")
@_filtered
@output_option
def ls(topic: str, group: str, *, reason: str, key: str, kind: str, output: str) -> None:
    """List the dead letters of a TOPIC and GROUP; without them, all queues with their sizes."""
    if topic and not group:
        raise click.UsageError("name the GROUP too: slipway dlq ls TOPIC GROUP")
    settings = load_here(KafkaSettings)
    wanted = Filter(reason=reason, key=key, kind=kind)
    if topic:
        rows = [replay.described(letter) for letter in replay.dead_letters(settings, Queue(topic, group), wanted)]
        show(rows, ["at", "reason", "type", "key", "attempts", "time", "exception"], output=output, empty="no letters")
        return
    queues = replay.queues(settings)
    rows = [
        {"topic": q.topic, "group": q.group, "letters": sum(1 for _ in replay.dead_letters(settings, q, wanted))}
        for q in queues
    ]
    show(rows, ["topic", "group", "letters"], output=output, empty="no dead-letter topics")


@dlq.command("show")
@click.argument("topic")
@click.argument("group")
@click.argument("at")
def show_letter(topic: str, group: str, at: str) -> None:
    """Print one dead letter as JSON. AT is partition:offset, as printed by `slipway dlq ls`."""
    partition, _, offset = at.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise click.UsageError(f"AT must look like 2:17, not {at!r}")
    letter = replay.find(load_here(KafkaSettings), Queue(topic, group), int(partition), int(offset))
    click.echo(json.dumps(replay.described(letter) | replay.value_of(letter), indent=2, ensure_ascii=False))


@dlq.command("replay")
@click.argument("topic")
@click.argument("group")
@_filtered
@click.option("--dry-run", is_flag=True, help="Print what would be sent, without sending it.")
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 10_000),
    default=100,
    show_default=True,
    help="Maximum number of dead letters per second.",
)
def replay_letters(topic: str, group: str, *, reason: str, key: str, kind: str, rate: float, dry_run: bool) -> None:
    """Send dead letters to their GROUP again; no other group receives them. Events that were applied are skipped."""
    settings = load_here(KafkaSettings)
    queue, wanted = Queue(topic, group), Filter(reason=reason, key=key, kind=kind)
    if dry_run:
        count = len(replay.chosen(settings, queue, wanted))
        click.echo(f"{count} letters of {queue.name} would be sent to {group} again; nothing was sent")
        return

    def tell(sent: int) -> None:
        if sent % 100 == 0:
            click.echo(f"  {sent} sent", err=True)

    sent = replay.replay(settings, queue, wanted, rate=rate, tell=tell)
    click.echo(f"{sent} letters were sent to {group} again. They stay listed; `slipway dlq purge` removes them.")


@dlq.command("purge")
@click.argument("topic")
@click.argument("group")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
def purge(topic: str, group: str, *, yes: bool) -> None:
    """Delete all dead letters of a TOPIC and GROUP permanently. Parked keys stay parked until they are replayed."""
    queue = Queue(topic, group)
    if not yes:
        click.confirm(f"Delete every letter of {queue.name}? What was not replayed is lost", abort=True)
    click.echo(f"{replay.purge(load_here(KafkaSettings), queue)} letters of {queue.name} were deleted")
