"""`make proto`: module, descriptor set and record of tags of messages.proto, by grpcio-tools."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import import_module, resources
from pathlib import Path

from grpc_tools import protoc

from dataflow.protobuf.form import record_of
from tests.pipeline import ROOT

PROTO = "dataflow/contracts/messages.proto"
RECORD = "dataflow/contracts/messages.tags.toml"
DESCRIPTORS = "dataflow/contracts/messages.binpb"
HEADING = (
    "The tags of messages.proto, as they were first released. `make proto` adds what is new; "
    "nothing here ever changes."
)


class CompilerRefused(Exception):
    """The compiler's exit code; it has said why on stderr."""


def compile_into(directory: Path, root: Path = ROOT, proto: str = PROTO) -> tuple[Path, Path]:
    """The generated module and its stub, in a tree like that of `root`. Raises CompilerRefused."""
    code = protoc.main(
        [
            "protoc",
            f"-I{root}",
            f"-I{resources.files('grpc_tools') / '_proto'}",
            f"--python_out={directory}",
            f"--pyi_out={directory}",
            proto,
        ]
    )
    if code:
        raise CompilerRefused(code)
    stem = directory / proto.removesuffix(".proto")
    return Path(f"{stem}_pb2.py"), Path(f"{stem}_pb2.pyi")


def descriptor_set(directory: Path, proto: str) -> bytes:
    """The descriptor set of a `.proto` in `directory`, with what it imports. Raises CompilerRefused."""
    out = directory / "set.binpb"
    include = resources.files("grpc_tools") / "_proto"
    arguments = [f"-I{directory}", f"-I{include}", "--include_imports", f"--descriptor_set_out={out}", proto]
    if code := protoc.main(["protoc", *arguments]):
        raise CompilerRefused(code)
    return out.read_bytes()


def packaged_set() -> bytes:
    """The descriptor set of the packaged message, for those who copy the contract. Raises CompilerRefused."""
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(ROOT / PROTO, directory)
        return descriptor_set(Path(directory), Path(PROTO).name)


def main() -> int:
    """Write all three; 1 when that would change what the record has."""
    with tempfile.TemporaryDirectory() as directory:
        for made in compile_into(Path(directory)):
            shutil.copy(made, ROOT / made.relative_to(directory))
    (ROOT / DESCRIPTORS).write_bytes(packaged_set())
    descriptor = import_module(PROTO.removesuffix(".proto").replace("/", ".") + "_pb2").Message.DESCRIPTOR
    before = (ROOT / RECORD).read_text(encoding="utf-8").splitlines()
    after = record_of(descriptor, HEADING)
    gone = [line for line in before if line not in after.splitlines()]
    if gone:
        print("messages.proto takes back what was released:", *gone, sep="\n  ", file=sys.stderr)
        return 1
    (ROOT / RECORD).write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
