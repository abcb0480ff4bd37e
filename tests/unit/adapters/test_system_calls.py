"""The filter of system calls, run by a small interpreter: what it lets through, and what not."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from phems.adapters.sandbox.system_calls import WITHHELD, filter_program

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSED = 0x00050000 | errno.EPERM
NO_FAMILY = 0x00050000 | errno.EAFNOSUPPORT
MACHINES = {"x86_64": (0xC000003E, 0, 41), "aarch64": (0xC00000B7, 1, 198)}
# read, write, openat, futex, clone: what every program does
HARMLESS = {"x86_64": (0, 1, 257, 202, 56), "aarch64": (63, 64, 56, 98, 220)}


def answer(machine: str, number: int, argument: int = 0, architecture: int | None = None) -> int:
    """What the kernel would answer to a call."""
    program = filter_program(machine)
    assert program is not None
    instructions = list(struct.iter_unpack("=HBBI", program))
    fields = {0: number, 4: MACHINES[machine][0] if architecture is None else architecture, 16: argument}
    loaded, position = 0, 0
    while True:
        code, then, otherwise, value = instructions[position]
        position += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            loaded = fields[value]
        elif code == 0x15:
            position += then if loaded == value else otherwise
        else:
            assert code == 0x35
            position += then if loaded >= value else otherwise


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_withheld_fails_and_what_is_not_works(machine: str) -> None:
    """Otherwise a wrong jump would let a call through, or keep Python from reading a file."""
    column = MACHINES[machine][1]
    for name, numbers in WITHHELD.items():
        number = numbers[column]
        if number is not None:
            assert answer(machine, number) == REFUSED, name
    for number in HARMLESS[machine]:
        assert answer(machine, number) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_only_families_of_sockets_that_a_network_namespace_holds(machine: str) -> None:
    """Otherwise project code in a virtual machine could speak to the machine's host."""
    number = MACHINES[machine][2]
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        assert answer(machine, number, family) == ALLOW
    for family in (socket.AF_VSOCK, socket.AF_PACKET, socket.AF_ALG, 0):
        assert answer(machine, number, family) == NO_FAMILY


@pytest.mark.parametrize("machine", MACHINES)
def test_other_tables_of_calls_are_no_way_around(machine: str) -> None:
    """Otherwise the same call under another number would get through."""
    assert answer(machine, 0, architecture=0x40000003) == KILL
    assert answer(machine, 0x40000000 + 1) == REFUSED


def test_a_machine_that_is_not_known_has_no_filter_rather_than_a_wrong_one() -> None:
    """Otherwise a host on such a machine would not start, and nobody would know why."""
    assert filter_program("riscv64") is None
