"""A root file system that is not the machine's: what is in it, and how a program is started there.

Theory of operation.  A root is a directory with a file system of its own, as a Debian release in a
folder.  `Root` tells whether a program is in it and which version of a package.  `ENTERED` is what
a shell does, in a mount namespace of its own, before a program that is to see nothing but a root:
it lays a file system in memory over the directory (so that nothing in it changes), mounts /proc,
/sys, /dev and /run there, the lab's own place under the same path as outside, and changes its root.

`root_of` reads what `--root` is given: a directory, NAME=DIRECTORY, or the name of a root that
`holdover lab roots make` has made.

What it does not know: which programs are wanted; hostile ones, for a root is no jail.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from holdover.model.errors import InputError

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of a root are looked for, and PATH in it."""

SHELL = "/bin/sh"

STATUS = Path("var/lib/dpkg/status")
"""What Debian's packages in a root are."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

KEPT = "kept"
"""A file that says that a program's directory outlives it; else what it writes is memory."""

HERE = f'''[ -e "$1/{KEPT}" ] || mount -t tmpfs tmpfs "$1"
mkdir -p "$1/run"'''
"""Where a program's files are: its first word."""

ENTERED = f"""
{HERE}
mkdir -p "$1/below" "$1/upper" "$1/work" "$1/root"
mount --bind "$3" "$1/below"
mount -t overlay -o "lowerdir=$1/below,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
for each in proc sys dev run tmp "$4"; do mkdir -p "$1/root/$each"; done
mount -t proc proc "$1/root/proc"
mount -t sysfs sysfs "$1/root/sys"
mount --bind "$1/run" "$1/root/run"
mount -t tmpfs tmpfs "$1/root/dev"
for each in {" ".join(DEVICES)}; do
  : >"$1/root/dev/$each"
  mount --bind "/dev/$each" "$1/root/dev/$each"
done
ln -s /proc/self/fd "$1/root/dev/fd"
mkdir -p "$1/root/etc"
[ "$(wc -c 2>/dev/null <"$1/root/etc/machine-id")" = 33 ] ||
  echo 686f6c646f7665722d6c61622d726f6f >"$1/root/etc/machine-id"
mount --bind "$4" "$1/root/$4"
root=$1 setup=$2
shift 4
export PATH={SEARCHED}
exec chroot "$root/root" {SHELL} -ec 'eval "$1"; shift; "$@"; exit $?' sh "$setup" "$@"
"""
"""Its words: an empty directory, a shell's text, the root, the lab's place, and the program's."""


@dataclass(frozen=True, slots=True)
class Root:
    """A root file system.  `name`: what it is called in a client's name, as `trixie`."""

    name: str
    path: Path

    def has(self, program: str) -> bool:
        """Whether a program, or a file with that absolute path, is there."""
        places = (program,) if program.startswith("/") else SEARCHED.split(":")
        files = (
            place if program.startswith("/") else f"{place}/{program}" for place in places
        )  # a link that leads to an absolute path leads there in the root
        return any(os.path.lexists(f"{self.path}{file}") for file in files)

    def version(self, package: str) -> str | None:
        """The version of a package of Debian's in it; None: it is not installed, or no Debian."""
        return self.packages().get(package)

    def packages(self) -> dict[str, str]:
        """The packages of Debian's that are installed in it, and their versions."""
        try:
            text = (self.path / STATUS).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
        found = {}
        for paragraph in text.split("\n\n"):
            fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, re.MULTILINE))
            if fields.get("Status", "").endswith(" installed") and "Version" in fields:
                found[fields["Package"]] = fields["Version"]
        return found


def upstream(version: str) -> str:
    """The version that its makers gave it, of one of Debian's: 4.4.3-P1 of 1:4.4.3-P1-2+b1."""
    return re.sub(r"(\+(dfsg|ds|really)|~)[^-]*$", "", re.sub(r"^\d+:|-[^-]*$", "", version))


def root_of(text: str, made: Path) -> Root:
    """The root that `--root` names; `made`: the folder of those that were made.

    InputError where it is no directory with a shell in it.
    """
    name, separator, place = text.partition("=")
    if not separator:
        name, place = Path(text).resolve().name if "/" in text else text, text
        path = Path(place) if "/" in text else made / text
    else:
        path = Path(place)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name) is None:
        raise InputError(
            f"--root {text}: {name!r} is no name; give it one of letters, digits, '.', '_', '+' "
            "and '-': --root NAME=DIRECTORY"
        )
    if not path.is_dir():
        more = (
            ""
            if separator or "/" in text
            else f"; `holdover lab roots make {text}` makes one, and --root {text}=DIRECTORY "
            "takes any"
        )
        raise InputError(f"--root {text}: there is no directory {path}{more}")
    found = Root(name, path.resolve())
    if not found.has(SHELL):
        raise InputError(
            f"--root {text}: {path} has no {SHELL}; name the top of a root file system, as "
            "`holdover lab roots make` makes one"
        )
    if os.geteuid() not in (0, found.path.stat().st_uid):
        # The kernel lays no file system over files of users whom a user namespace does not know.
        raise InputError(
            f"--root {text}: {path} is another user's; without root the lab plays only a root file "
            "system of your own: run it as root, or copy it"
        )
    return found
