"""The demo: the commands that a user types, from digits to pictures over gRPC and REST.

Every command is printed before it runs, so that it can be tried again by hand.
"""

import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
WORKDIR, EXPORT_DIR = "runs/demo", "exports/demo"
SERVED = f"{WORKDIR}/samples/served.png"
SEVENS = f"{WORKDIR}/samples/sevens.png"


def main():
    held = held_ports(2)
    grpc_port, rest_port = (each.getsockname()[1] for each in held)
    title("1. Train: real handwritten digits, about 90 seconds")
    command("gan-keras-train", "--preset=digits_conditional", f"--workdir={WORKDIR}")
    title("2. Export: the generator as a SavedModel version")
    command("gan-keras-export", f"--workdir={WORKDIR}", f"--export_dir={EXPORT_DIR}")
    title("3. Serve: the embedded server, on free ports of this machine")
    server = serve(
        "gan-keras-serve",
        f"--model_base_path={EXPORT_DIR}",
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
    )
    try:
        title("4. Query: 64 digits over gRPC, and the same 64 over REST")
        grids = []
        for transport, port, output in (
            ("grpc", grpc_port, SERVED),
            ("rest", rest_port, f"{WORKDIR}/samples/served-rest.png"),
        ):
            command(
                "gan-keras-sample",
                f"--server=127.0.0.1:{port}",
                f"--transport={transport}",
                "--count=64",
                f"--output={output}",
            )
            grids.append(Path(output).read_bytes())
        title("5. Query by label: 16 sevens")
        command(
            "gan-keras-sample",
            f"--server=127.0.0.1:{rest_port}",
            "--transport=rest",
            "--label=7",
            "--count=16",
            f"--output={SEVENS}",
        )
        if grids[0] != grids[1]:
            sys.exit("demo: gRPC and REST gave different pictures for the same seeds")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()

    title("Done")
    print(f"pictures from the server:  {SERVED} (the same over gRPC and REST)")
    print(f"sevens, by their label:    {SEVENS}")
    print(f"a row per digit, by step:  {WORKDIR}/samples/")
    print(f"the run, to resume:        {WORKDIR}/")
    print(f"what was served:           {EXPORT_DIR}/")
    print("\nLook at the run in TensorBoard:")
    print(f"    {shown('tensorboard')} --logdir {WORKDIR}/logs")
    print("Try next: pictures of your own (jpg, png, webp); sub-folders are classes:")
    print(f"    {shown('gan-keras-train')} --dataset=folder:/path --dry_run")


def title(text):
    print(f"\n== {text}", flush=True)


def shown(program):
    """A program as a user would type it from this folder."""
    path = BIN / program
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def command(program, *arguments):
    """Prints a command and runs it; the demo ends if it fails."""
    print(f"$ {shlex.join([shown(program), *arguments])}", flush=True)
    status = subprocess.run([BIN / program, *arguments]).returncode
    if status:
        sys.exit(status)


def serve(program, *arguments):
    """Prints and starts the server, and waits until it answers on its last port."""
    print(f"$ {shlex.join([shown(program), *arguments])} &", flush=True)
    server = subprocess.Popen([BIN / program, *arguments], stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        print(line, end="", flush=True)
        if "gan-keras-sample" in line:  # The last line before it waits for requests.
            return server
    sys.exit(server.wait() or 1)


def held_ports(count):
    """Sockets bound to ports of 127.0.0.1, so that meanwhile no other program gets these.

    Nobody listens there: a server that sets SO_REUSEADDR, as ours does, can have them by number.
    """
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind(("127.0.0.1", 0))
    return sockets


if __name__ == "__main__":
    main()
