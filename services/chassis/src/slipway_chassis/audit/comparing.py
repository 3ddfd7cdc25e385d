"""Tables against streams. Pure: rows come in, findings come out."""

from collections.abc import Iterable, Mapping

from .declared import Aggregate, Projection
from .streams import Findings, Stream

Row = tuple[str, int]  # an aggregate's id and its version


def aggregates(
    name: str, declared: Aggregate, rows: Iterable[Row], stream: Stream, unsent: Mapping[str, int]
) -> tuple[int, Findings]:
    """Each row's version was published, or waits in the outbox (``unsent``: highest version of each aggregate there);
    and nothing was published that the database does not know. Returns how many rows there are, too.
    """
    findings, count, known = Findings(f"aggregates {name}"), 0, set()
    for aggregate_id, version in rows:
        count += 1
        known.add(aggregate_id)
        published = stream.latest(aggregate_id)
        if published > version:
            what = f"others know version {published}, the database {version}: it went back"
            findings.add(aggregate_id, what, reached=version, wanted=published)
        elif (sent := max(published, unsent.get(aggregate_id, 0))) < version and (published or stream.complete):
            what = f"version {version} was never sent: {published or 'none'} was"
            findings.add(aggregate_id, what, reached=sent, wanted=version)
    if not declared.rows_are_deleted:
        for aggregate_id in stream.versions.keys() - known:
            version = stream.latest(aggregate_id)
            findings.add(aggregate_id, f"others know version {version}, the database has no such row", wanted=version)
    return count, findings


def projections(name: str, declared: Projection, rows: Iterable[Row], stream: Stream) -> tuple[int, Findings]:
    """Each aggregate's row has the version of the last event that the projection follows."""
    findings, held = Findings(f"projections {name}"), {}
    for aggregate_id, version in rows:
        held[aggregate_id] = version
        published = stream.latest(aggregate_id, declared.types)
        if version < published:
            what = f"has version {version}, and {published} was published: not applied"
            findings.add(aggregate_id, what, reached=version, wanted=published)
        elif version > published and (published or stream.complete):
            what = f"has version {version}, and {published or 'nothing'} was published"
            findings.add(aggregate_id, what, reached=published, wanted=version)
    for aggregate_id in stream.versions:
        if aggregate_id not in held and (published := stream.latest(aggregate_id, declared.types)):
            what = f"version {published} was published, and there is no row: not applied"
            findings.add(aggregate_id, what, wanted=published)
    return len(held), findings
