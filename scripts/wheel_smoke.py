"""Build the wheel, install it into an empty environment, run `reviewqueue up` from it, and look at the login page."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 60
STOP_SECONDS = 20


def build(directory: Path) -> Path:
    """The wheel, made as a release makes it: from the source distribution."""
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(directory), str(ROOT)], check=True, stdout=sys.stderr
    )
    return next(directory.glob("*.whl"))


def install(wheel: Path, environment: Path) -> Path:
    """An environment with the wheel and what it depends on, and nothing else; returns its `bin`."""
    uv = shutil.which("uv")
    if uv:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
        python = environment / "bin" / "python"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), str(wheel)], check=True)
    else:
        venv.create(environment, with_pip=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, str(wheel)], check=True)
    return environment / "bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def login_page(port: int, process: subprocess.Popen[bytes]) -> str:
    """The page, as soon as the server answers."""
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)


def left_over(directory: Path) -> list[str]:
    """Command lines of processes that run from `directory`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in line and path.parent.name != str(os.getpid()):
            found.append(line.strip())
    return found


def run(command: Path, directory: Path) -> None:
    """Start, look, stop with Ctrl-C. Raises `SystemExit` with what is wrong."""
    home = directory / "empty"
    home.mkdir()
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("REVIEWQUEUE", "PYTHON"))}
    environ = {name: value for name, value in environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    log = directory / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(command), "up", "--port", str(port)],
            cwd=home, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        page = login_page(port, process)
        if "<form" not in page or 'type="password"' not in page:
            raise SystemExit(f"wheel smoke test: /login has no form:\n{page[:2000]}")
        process.send_signal(signal.SIGINT)
        status = process.wait(STOP_SECONDS)
        if status not in (0, 130):
            raise SystemExit(f"wheel smoke test: `reviewqueue up` ended with {status}:\n{log.read_text()}")
        if still := left_over(directory):
            raise SystemExit("wheel smoke test: processes left over:\n" + "\n".join(still))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"wheel smoke test: {error}\n{log.read_text()}") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rq-wheel-") as name:
        directory = Path(name)
        wheel = build(directory / "dist")
        binaries = install(wheel, directory / "environment")
        run(binaries / "reviewqueue", directory)
    print(f"wheel smoke test: {wheel.name} installs, serves its login page and stops cleanly")


if __name__ == "__main__":
    main()
