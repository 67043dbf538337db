"""States as MessagePack: msgspec structs that may hold numpy arrays (dtype, shape and bytes)."""

from typing import Any, TypeVar

import msgspec
import numpy as np

S = TypeVar("S")


def encode(state: object) -> bytes:
    """MessagePack of a state."""
    return _encoder.encode(state)


def decode(data: bytes, kind: type[S]) -> S:
    """A state of type `kind` from its MessagePack; arrays come back writable.

    Raises:
        msgspec.ValidationError: the bytes do not fit the type.
    """
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_from_plain)


def _to_plain(value: object) -> Any:
    if isinstance(value, np.ndarray):
        dtype = value.dtype.descr if value.dtype.names else value.dtype.str
        return (dtype, value.shape, np.ascontiguousarray(value).tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"A state cannot hold a {type(value).__name__}.")


def _from_plain(kind: type, value: Any) -> Any:
    if getattr(kind, "__origin__", kind) is np.ndarray:
        descr, shape, data = value
        dtype = np.dtype([tuple(part) for part in descr]) if isinstance(descr, list) else np.dtype(descr)
        return np.frombuffer(data, dtype).reshape(shape).copy()
    raise NotImplementedError(f"A state cannot hold a {kind}.")


_encoder = msgspec.msgpack.Encoder(enc_hook=_to_plain)
