"""Starts the built binary in a folder of its own, on ports of its own, and runs each real client against it.

usage: drive.py BINARY  (run by tests/run, with the Python environment that holds the SDKs)
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import canary

HERE = pathlib.Path(__file__).parent
CLIENTS = [
    ("openai-python", [sys.executable, HERE / "openai_python.py"]),
    ("openai-node", ["node", HERE / "openai_node.mjs"]),
    ("vendor SDKs, at the sandbox and through fengate", [sys.executable, HERE / "vendor_proof.py"]),
    ("a fengate key on the classic path", [sys.executable, HERE / "gateway_signed.py"]),
    ("the README's snippet", [sys.executable, HERE / "readme_snippet.py"]),
]
START_SECONDS = 30
CLIENT_SECONDS = 240


def routes(folder: pathlib.Path) -> pathlib.Path:
    """The shipped routes.toml, on ports nobody else has."""
    text = (HERE.parent.parent / "routes.toml").read_text()
    text = re.sub(r'"127\.0\.0\.1:(8080|9090|8081)"', '"127.0.0.1:0"', text)
    path = folder / "routes.toml"
    path.write_text(text)
    return path


def start(binary: str, folder: pathlib.Path):
    out = open(folder / "out.txt", "w")
    process = subprocess.Popen([binary, "--config", routes(folder)], stdout=out, stderr=open(folder / "log.txt", "w"), stdin=subprocess.DEVNULL)
    by = time.monotonic() + START_SECONDS
    while time.monotonic() < by and process.poll() is None:
        text = (folder / "out.txt").read_text()
        found = dict(re.findall(r"^  (public|admin|sandbox) +(http://\S+)", text, re.M))
        if len(found) == 3 and "Then open the page" in text:
            return process, found
        time.sleep(0.05)
    raise SystemExit(f"fengate did not start:\n{(folder / 'log.txt').read_text()}")


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        process, found = start(sys.argv[1], folder)
        env = dict(os.environ, FENGATE=found["public"], ADMIN=found["admin"], SANDBOX=found["sandbox"], SANDBOX_DIR=str(folder / "sandbox"), OUT=str(folder / "out.txt"))
        for client, command in CLIENTS:
            began = time.monotonic()
            try:
                code = subprocess.run([str(part) for part in command], env=env, timeout=CLIENT_SECONDS, cwd=HERE).returncode
            except subprocess.TimeoutExpired:
                code = "no end"
            print(f"{client}: {'ok' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - began:.1f} s", flush=True)
            if code != 0:
                failed.append(client)
        canary.sing(found["public"])
        metrics = urllib.request.urlopen(found["admin"] + "/metrics", timeout=30).read().decode()
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=30) != 0:
            failed.append("the end on SIGTERM")
        log = (folder / "log.txt").read_text()
        if "request" not in log:
            failed.append("a log")
        failed += canary.heard(folder, {"the log": log, "the metrics": metrics})
        if failed:
            print((folder / "log.txt").read_text()[-8000:])
    print(json.dumps({"clients": len(CLIENTS), "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
