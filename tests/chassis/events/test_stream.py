from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_chassis.errors import InvalidEvent
from slipway_chassis.events.ports import Record
from slipway_chassis.events.stream import Envelope, decode, encode


@dataclass(frozen=True, kw_only=True)
class Shipped:
    parcel_id: UUID
    weight_grams: int
    note: str
    at: datetime


events = st.builds(
    Shipped,
    parcel_id=st.uuids(),
    weight_grams=st.integers(-(2**53), 2**53),
    note=st.text(),
    at=st.datetimes(timezones=st.just(UTC)),
)


@given(events)
def test_an_event_survives_its_wire_form(event):
    assert decode(Shipped, encode(event)) == event


@given(
    st.builds(
        Envelope,
        id=st.uuids(),
        type=st.from_regex(r"[a-z]{1,9}\.[A-Z][a-z]{1,9}\.v[1-9]", fullmatch=True),
        source=st.just("/s"),
        subject=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1),
        time=st.datetimes(timezones=st.just(UTC)),
        version=st.integers(1, 2**31 - 1),
        traceparent=st.none() | st.just("00-" + "1" * 32 + "-" + "2" * 16 + "-01"),
    )
)
def test_an_envelope_survives_its_headers(envelope):
    assert Envelope.of(Record(topic="t", key=b"k", value=b"", headers=envelope.headers())) == envelope


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_an_invalid_one(value):
    try:
        assert isinstance(decode(Shipped, value), Shipped)
    except InvalidEvent as error:
        assert "Shipped can't be read" in str(error)


def test_a_field_that_the_reader_does_not_know_is_ignored():
    known = Shipped(parcel_id=uuid4(), weight_grams=1, note="", at=datetime.now(UTC))
    wider = encode(known)[:-1] + b',"added_later":true}'

    assert decode(Shipped, wider) == known


def test_a_missing_header_is_named():
    with pytest.raises(InvalidEvent, match="binary mode"):
        Envelope.of(Record(topic="t", key=None, value=None, headers=(("ce_id", b"\xff"),)))


@dataclass(frozen=True)
class Priced:
    price: str

    def __post_init__(self):
        Decimal(self.price)


def test_whatever_a_class_raises_while_it_is_built_is_an_invalid_event():
    with pytest.raises(InvalidEvent, match="InvalidOperation"):
        decode(Priced, b'{"price": "cheap"}')
