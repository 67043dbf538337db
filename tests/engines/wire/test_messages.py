"""Messages survive the wire; what does not fit is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.errors import MessageError
from engines.wire.messages import (
    MAIN,
    MARKET,
    TOPICS,
    Accepted,
    Header,
    Order,
    decode,
    decode_header,
    encode_body,
    encode_header,
)

HEADER = Header("risk", 1, 7, "orders/1-0", 0, "r1/window", 5, 6, 7)


def test_every_body_has_a_topic_and_every_topic_one_bus() -> None:
    for body in MARKET + MAIN:
        assert TOPICS[body.TOPIC] == ("market" if body in MARKET else "main")
        assert body.__struct_config__.frozen


@given(
    st.builds(
        Order,
        order_id=st.text(),
        strategy=st.text(),
        symbol=st.text(),
        side=st.sampled_from([1, -1]),
        quantity=st.integers(0, 2**40),
        limit=st.none() | st.integers(0, 2**60),
    )
)
def test_round_trip(order: Order) -> None:
    for topic, body in (("orders", order), ("order-events", Accepted(order))):
        envelope = decode(topic, "3-1", encode_header(HEADER), encode_body(body))
        assert (envelope.header, envelope.body, envelope.id) == (HEADER, body, f"{topic}/3-1")


@pytest.mark.parametrize(
    ("topic", "header", "body"),
    [
        ("nowhere", encode_header(HEADER), encode_body(Order("1", "s", "A", 1, 1))),
        ("orders", b"\xc1", encode_body(Order("1", "s", "A", 1, 1))),
        ("orders", encode_header(HEADER), b""),
        ("orders", encode_header(HEADER), msgspec.msgpack.encode({"type": "Order", "order_id": 1})),
        ("fills", encode_header(HEADER), encode_body(Order("1", "s", "A", 1, 1))),
        ("orders", encode_header(HEADER), b"\xa2\xff\xff"),
    ],
)
def test_what_does_not_fit_is_refused(topic: str, header: bytes, body: bytes) -> None:
    with pytest.raises(MessageError):
        decode(topic, "1-1", header, body)


def test_a_body_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Order("1", "s", "A", 1, 1).quantity = 2  # type: ignore[misc]


@given(st.binary(max_size=64))
def test_noise_is_refused_or_a_header(noise: bytes) -> None:
    try:
        assert isinstance(decode_header(noise), Header)
    except MessageError as error:
        assert error.what
