"""What a step tries of the machine: network, files, processes, kernel."""

import ctypes
import os
import socket
import subprocess
from functools import partial
from pathlib import Path

import dagster as dg

from intruder import findings

SECONDS = 2.0
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
PTRACE_ATTACH = 16


@dg.op
def dump_environment() -> None:
    """Everything that a process can say of itself."""
    findings.tell(
        {
            "environment": dict(os.environ),
            "initial environment": Path("/proc/1/environ").read_text(errors="replace"),
            "status": Path("/proc/self/status").read_text(),
            "uid": os.getuid(),
            "hostname": socket.gethostname(),
            "interfaces": [name for _, name in socket.if_nameindex()],
            "open files": {fd: _target(fd) for fd in os.listdir("/proc/self/fd")},
        }
    )


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError as error:
        return str(error)


def _tcp(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=SECONDS) as peer:
        return str(peer.getpeername())


def _udp(host: str, port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        return peer.sendto(b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", (host, port))


def _unix(address: str) -> str:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(SECONDS)
        peer.connect(address)
        return address


def _vsock() -> str:
    with socket.socket(socket.AF_VSOCK) as peer:
        peer.settimeout(SECONDS)
        peer.connect((2, 1024))
        return "connected"


@dg.op(config_schema={"ports": [int], "abstract": str, "sockets": [str]})
def reach_network(context: dg.OpExecutionContext) -> None:
    """The database, the cluster, the cloud's metadata, the internet, and what listens on the machine."""
    config = context.op_config
    probes = {
        "metadata address": partial(_tcp, "169.254.169.254", 80),
        "metadata address v6": partial(_tcp, "fd00:ec2::254", 80),
        "cluster API": partial(_tcp, "10.96.0.1", 443),
        "cluster API by name": partial(_tcp, "kubernetes.default.svc", 443),
        "DNS by name": lambda: socket.getaddrinfo("example.org", 80),
        "DNS by packet": partial(_udp, "8.8.8.8", 53),
        "internet": partial(_tcp, "1.1.1.1", 443),
        "abstract socket": partial(_unix, "\0" + config["abstract"]),
        "virtual machine's host": _vsock,
        "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).fileno(),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).fileno(),
    }
    probes |= {f"loopback port {port}": partial(_tcp, "127.0.0.1", port) for port in config["ports"]}
    probes |= {f"socket {path}": partial(_unix, path) for path in config["sockets"]}
    findings.run(probes)


@dg.op(config_schema={"paths": [str]})
def read_files(context: dg.OpExecutionContext) -> None:
    """Files by their names outside, by ways around, and a search for the canary in all that is mounted."""
    probes = {path: partial(_look, path) for path in context.op_config["paths"]}
    probes |= {
        "by the root of process 1": lambda: os.listdir("/proc/1/root"),
        "by its working folder": lambda: os.listdir("/proc/1/cwd/../../.."),
        "block devices": lambda: [
            n for n in os.listdir("/dev") if n.startswith(("sd", "vd", "nvme", "mem", "kmsg"))
        ],
    }
    findings.run(probes)
    findings.tell({"root": sorted(os.listdir("/")), "top of run": _tree("/run"), "data": _tree("/data")})


def _look(path: str) -> str:
    place = Path(path)
    return str(os.listdir(place)) if place.is_dir() else place.read_text(errors="replace")[:200]


def _tree(top: str) -> list[str]:
    return [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names]


def _write(folder: str) -> str:
    place = Path(folder) / "intruder-was-here"
    place.write_text("x")
    place.unlink()
    return folder


@dg.op
def write_files() -> None:
    """Writing to code, environment, data, devices and the system."""
    import dagster as dagster_package

    source = next(Path("/data").iterdir())
    findings.run(
        {
            "code": partial(_write, "/code"),
            "own module": lambda: Path(__file__).write_text("x"),
            "environment": partial(_write, str(Path(dagster_package.__file__).parent)),
            "data": partial(_write, "/data"),
            "source": lambda: source.open("a").write("x"),
            "source away": source.unlink,
            "source's mode": partial(source.chmod, 0o777),
            "root": partial(_write, "/"),
            "system": partial(_write, "/usr/bin"),
            "configuration": partial(_write, "/etc"),
            "devices": partial(_write, "/dev"),
            "run": partial(_write, "/run"),
            "capability": lambda: Path("/run/phems/capability/token").write_text("x"),
            "storage socket away": lambda: Path("/run/phems/storage.sock").unlink(),
            "a name of the machine": lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
            # Opened for writing, never written: these would act on the whole machine.
            "what runs at a crash": lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY),
            "the kernel's keys": lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY),
            "memory settings": lambda: os.open("/proc/sys/vm/overcommit_memory", os.O_WRONLY),
            "hard link to the source": lambda: os.link(source, "/artifacts/linked.csv"),
            "artifacts": partial(_write, "/artifacts"),
            "tmp": partial(_write, "/tmp"),
        }
    )


_libc = ctypes.CDLL(None, use_errno=True)


def _libc_call(name: str, *args: object) -> int:
    result: int = getattr(_libc, name)(*args)
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _in_child(act: object) -> int:
    """Try it in a child, so that a success changes nothing for the probes after it."""
    pid = os.fork()
    if pid == 0:
        try:
            act()  # type: ignore[operator]
        except OSError as error:
            os._exit(error.errno or 1)
        except BaseException:
            os._exit(255)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise OSError(status, os.strerror(status) if 0 < status < 200 else "refused")
    return status


@dg.op
def break_out() -> None:
    """The kernel's ways out: namespaces, mounts, tracing, other processes' memory, keys."""
    mount = partial(_libc_call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)
    bind = partial(_libc_call, "mount", b"/proc/1/root", b"/tmp", None, 4096, None)
    parent = os.getppid()
    others = sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
    findings.run(
        {
            "new user namespace": lambda: _in_child(partial(_libc_call, "unshare", CLONE_NEWUSER)),
            "new mount namespace": lambda: _in_child(partial(_libc_call, "unshare", CLONE_NEWNS)),
            "new network": lambda: _in_child(partial(_libc_call, "unshare", CLONE_NEWNET)),
            "unshare": lambda: subprocess.run(["unshare", "-Urm", "true"], check=True, capture_output=True),
            "mount": lambda: _in_child(mount),
            "bind mount": lambda: _in_child(bind),
            "unmount": lambda: _in_child(partial(_libc_call, "umount2", b"/code", 2)),
            "enter process 1": lambda: _in_child(
                partial(_libc_call, "setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0)
            ),
            "trace the host": partial(_libc_call, "ptrace", PTRACE_ATTACH, parent, None, None),
            "memory of the host": lambda: len(Path(f"/proc/{parent}/mem").open("rb").read(1)),
            "environment of the host": lambda: Path(f"/proc/{parent}/environ").read_text(),
            "files of the host": lambda: [os.readlink(f) for f in Path(f"/proc/{parent}/fd").iterdir()],
            "control socket of the host": lambda: _take_file(parent, 3),
            "user 0": lambda: _in_child(partial(os.setresuid, 1, 1, 1)),
            "chroot": lambda: _in_child(partial(os.chroot, "/tmp")),
            "a device": lambda: os.mknod("/tmp/disk", 0o060600, os.makedev(254, 0)),
            "raise a limit": _raise_limit,
            "io_uring": partial(_call_by_number, 425, 1, ctypes.create_string_buffer(256)),
            "bpf": partial(_call_by_number, 321, 0, None, 0),
            "perf events": partial(_call_by_number, 298, ctypes.create_string_buffer(256), 0, -1, -1, 0),
            "user faults": partial(_call_by_number, 323, 1),
            "keys": partial(_call_by_number, 250, 6, -3, None, 0),
            "the second table of calls": partial(_call_by_number, 0x40000000 + 39),
        }
    )
    findings.tell({"inherited keys": _inherited_keys(), "processes": {pid: _command(pid) for pid in others}})


def _take_file(pid: int, fd: int) -> int:
    """A file that another process has open (`pidfd_getfd`)."""
    taken: int = _libc.syscall(438, os.pidfd_open(pid), fd, 0)
    if taken < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return taken


def _call_by_number(number: int, *args: object) -> int:
    result: int = _libc.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _raise_limit() -> object:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard * 2, hard * 2))
    return soft


def _inherited_keys() -> int:
    """How many keys the session keyring holds that was inherited, if any was."""
    keyctl, read, session = 250, 11, -3
    size = int(_libc.syscall(keyctl, read, session, None, 0))
    return max(size, 0) // 4


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError as error:
        return str(error)


@dg.job
def dump_environment_job() -> None:
    """See the op."""
    dump_environment()


@dg.job
def reach_network_job() -> None:
    """See the op."""
    reach_network()


@dg.job
def read_files_job() -> None:
    """See the op."""
    read_files()


@dg.job
def write_files_job() -> None:
    """See the op."""
    write_files()


@dg.job
def break_out_job() -> None:
    """See the op."""
    break_out()


JOBS = [dump_environment_job, reach_network_job, read_files_job, write_files_job, break_out_job]
