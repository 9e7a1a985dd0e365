"""A root directory of its own for a process, as a container has one: no engine, only Linux's namespaces.

What a slim Debian image brings (the system's programs, Python under /usr/local) is the machine's own, mounted
read-only; everything else is there only when it was put there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SYSTEM = ("/usr", "/etc")
_LINKS = ("bin", "sbin", "lib", "lib64")
"""On a merged /usr these are links into it."""
_PROGRAMS = ("unshare", "mount", "chroot", "setpriv", "env")
PYTHON = (3, 12)
"""The image's."""
FOR_PACKAGES = ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
"""What a builder is told of the way to the package index; nothing else of ours reaches a step."""


class SandboxUnavailable(Exception):
    """There is no way to have a root of one's own on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory or file of the machine, to be seen inside at `target`."""

    source: Path
    target: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a process runs as: without capabilities, and without a way to gain any."""

    user: int
    group: int
    groups: tuple[int, ...] = ()


def require() -> None:
    """Raises SandboxUnavailable."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing or sys.platform != "linux":
        raise SandboxUnavailable(f"needs Linux with {', '.join(missing or _PROGRAMS)}")
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    if os.geteuid() != 0 or tried.returncode:
        raise SandboxUnavailable("mount namespaces need root (and CAP_SYS_ADMIN, where root has not all)")


def python_prefix() -> Path:
    """Where a Python of the image's version is installed; this interpreter's place when there is none.

    Looked for on the PATH, and beside this one, where tools that keep several put them.
    """
    named = f"python{PYTHON[0]}.{PYTHON[1]}"
    beside = sorted(Path(sys.base_prefix).parent.glob(f"*/bin/{named}"), reverse=True)
    for candidate in [named, *map(str, beside)]:
        if shutil.which(candidate) is None:
            continue
        said = subprocess.run(
            [candidate, "-c", "import sys, ensurepip; print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode == 0:
            return Path(said.stdout.strip())
    return Path(sys.base_prefix)


@dataclass(frozen=True, slots=True)
class Root:
    """A directory that is the root of the processes started in it."""

    directory: Path
    python: Path

    def create(self) -> None:
        """Make it: the system's programs and Python, and nothing installed."""
        for name in ("usr", "etc", "proc", "dev", "tmp", "root", "opt", "run", "var"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "tmp").chmod(0o1777)
        for name in _LINKS:
            if Path("/", name).is_symlink():
                (self.directory / name).symlink_to(f"usr/{name}")

    def path(self, inside: str) -> Path:
        """Where something inside is, seen from outside."""
        return self.directory / inside.lstrip("/")

    def command(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        mounts: Sequence[Mount] = (),
        workdir: str = "/",
        identity: Identity | None = None,
    ) -> list[str]:
        """The command that runs `arguments` inside as process 1, with exactly this environment.

        With an identity it runs as that, on a root that is read-only but for writable mounts; without one as
        root, and may change everything inside.
        """
        root = shlex.quote(str(self.directory))
        script = ["set -e", f"mount --bind {root} {root}"]
        system = [Mount(Path(path), path, writable=False) for path in _SYSTEM]
        if str(self.python) != "/usr":
            # At its own place as well: its shared library may be looked for there.
            system += [
                Mount(self.python, place, writable=False) for place in ("/usr/local", str(self.python))
            ]
        for mount in (*system, *mounts):
            inside = self.path(mount.target)
            if not mount.target.startswith(_SYSTEM):
                inside.mkdir(parents=True, exist_ok=True)
            place = shlex.quote(str(inside))
            script.append(f"mount --bind {shlex.quote(str(mount.source))} {place}")
            if not mount.writable:
                script.append(f"mount -o remount,bind,ro {place}")
        script += [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
        inner = ["chroot", str(self.directory)]
        if identity is not None:
            script.append(f"mount -o remount,bind,ro {root}")
            inner += [
                "setpriv",
                f"--reuid={identity.user}",
                f"--regid={identity.group}",
                f"--groups={','.join(map(str, identity.groups))}" if identity.groups else "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
                "--no-new-privs",
            ]
        inner += ["env", "-i", "-C", workdir]
        inner += [f"{name}={value}" for name, value in environment.items()]
        script.append(f"exec {shlex.join([*inner, *arguments])}")
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*namespaces, "sh", "-c", "\n".join(script)]
