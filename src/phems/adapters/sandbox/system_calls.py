"""Which system calls a sandbox withholds: a seccomp filter, as bubblewrap takes it.

No analysis needs these calls, and most ways out of a sandbox begin with one: other processes' memory,
mounts and namespaces, the kernel's key rings, tracing, modules, io_uring. Families of sockets that a
network namespace does not hold in (a virtual machine's line to its host) are withheld as well. What is
withheld fails with EPERM or EAFNOSUPPORT; nothing is killed for asking.

Classic BPF as in the kernel's `seccomp(2)`; numbers as in its tables for x86-64 and for arm64.
"""

from __future__ import annotations

import errno
import socket
import struct

# name -> number on x86-64, number on arm64; None where there is no such call
WITHHELD: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
SOCKET_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

# machine -> the kernel's name of its calling convention, the column above, the number of socket()
_MACHINES = {"x86_64": (0xC000003E, 0, 41), "aarch64": (0xC00000B7, 1, 198)}
_X32_CALLS = 0x40000000

_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def filter_program(machine: str) -> bytes | None:
    """The filter for a machine as `platform.machine()` names it; None for one that is not known here."""
    if machine not in _MACHINES:
        return None
    architecture, column, socket_number = _MACHINES[machine]
    refused = _instruction(_RETURN, _FAIL | errno.EPERM)
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_IF_EQUAL, architecture, then=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        # The second table of x86-64 has the same calls under other numbers.
        _instruction(_IF_AT_LEAST, _X32_CALLS, otherwise=1),
        refused,
    ]
    for numbers in WITHHELD.values():
        number = numbers[column]
        if number is not None:
            program += [_instruction(_IF_EQUAL, number, otherwise=1), refused]
    program += [_instruction(_IF_EQUAL, socket_number, then=1), _instruction(_RETURN, _ALLOW)]
    program.append(_instruction(_LOAD, _FIRST_ARGUMENT))
    for family in SOCKET_FAMILIES:
        program += [_instruction(_IF_EQUAL, family, otherwise=1), _instruction(_RETURN, _ALLOW)]
    program.append(_instruction(_RETURN, _FAIL | errno.EAFNOSUPPORT))
    return b"".join(program)


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`; jumps count the instructions to skip."""
    return struct.pack("=HBBI", code, then, otherwise, value)
