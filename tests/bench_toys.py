"""Peers that misbehave, each in one way (`fake_peers`), and rows of the figures of `stackc bench`."""

from __future__ import annotations

from typing import Any

from stackc.bench.entrants import Peer, Trainer


def packer(name: str) -> Peer:
    return Peer(name=name, kind="compressor", codec=f"fake_peers:{name}")


def fake(name: str, trainer: str | None = None) -> Peer:
    how = Trainer(name=name.lower(), function=f"fake_peers:{trainer}", distribution="stackc") if trainer else None
    return Peer(name=name, kind="tokenizer", codec=f"fake_peers:{name}", trainer=how)


FAKES = {
    **{name: fake(name) for name in ("Bytes", "Lossy", "Chatty", "Remembering", "Unopened", "Panicking", "Crashing")},
    "Trained": fake("Trained", "train"),
    "Refused": fake("Refused", "refuse"),
    **{name: packer(name) for name in ("Headed", "Unprimed", "Forgetful")},
    "Absent": Peer(name="Absent", kind="compressor", codec="x:X", packages=("absent-codec",)),
}


def row(figures: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in figures["rows"] if one["name"] == name]
    return found  # type: ignore[no-any-return]
