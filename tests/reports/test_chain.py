"""The chain: a published CRC vector, and what a change anywhere does."""

import google_crc32c
from hypothesis import given
from hypothesis import strategies as st

from reports import chain

PAYLOADS = st.lists(st.binary(min_size=2, max_size=40).filter(lambda item: b"\n" not in item), min_size=1, max_size=8)


def chained(payloads: list[bytes]) -> list[bytes]:
    previous, lines = chain.GENESIS, []
    for payload in payloads:
        previous, line = chain.link(previous, payload)
        lines.append(line)
    return lines


def test_crc_is_castagnoli_of_previous_and_payload() -> None:
    """The check value of CRC-32C over '123456789' is e3069283 (the catalogue of parametrised CRCs, RFC 3720 B.4)."""
    assert f"{google_crc32c.value(b'123456789'):08x}" == "e3069283"
    crc, line = chain.link("01234567", b'{"a":1}')
    covered = google_crc32c.value(b'01234567 {"a":1}')
    assert crc == f"{covered:08x}"
    assert line == crc.encode() + b' 01234567 {"a":1}\n'


@given(PAYLOADS)
def test_what_is_chained_is_read_back(payloads: list[bytes]) -> None:
    assert list(chain.walk(chained(payloads))) == payloads


@given(PAYLOADS, st.data())
def test_any_changed_byte_is_found_at_its_line(payloads: list[bytes], data: st.DataObject) -> None:
    lines = chained(payloads)
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 2))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (lines[number][place], 10)))
    lines[number] = lines[number][:place] + bytes([new]) + lines[number][place + 1 :]
    last = list(chain.walk(lines))[-1]
    assert isinstance(last, chain.Broken)
    assert last.number == number + 1
    assert last.tail == (number + 1 == len(lines))


@given(PAYLOADS, st.data())
def test_a_removed_or_swapped_line_breaks_the_link(payloads: list[bytes], data: st.DataObject) -> None:
    lines = chained([*payloads, b"{}"])
    number = data.draw(st.integers(0, len(lines) - 2))
    del lines[number]
    last = list(chain.walk(lines))[-1]
    assert isinstance(last, chain.Broken)
    assert last.number == number + 1


@given(PAYLOADS, st.data())
def test_a_cut_file_yields_what_is_whole(payloads: list[bytes], data: st.DataObject) -> None:
    lines = chained(payloads)
    kept = data.draw(st.integers(1, len(lines[-1]) - 1))
    lines[-1] = lines[-1][:kept]
    *whole, last = chain.walk(lines)
    assert whole == payloads[:-1]
    assert last == chain.Broken(len(lines), "cut in mid-line", tail=True)
