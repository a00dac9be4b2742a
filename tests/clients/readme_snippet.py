"""What fengate prints at its start, and what the README shows, is pasted as it is: snippets and the curl command must make a payment."""

import os
import pathlib
import re
import subprocess
import sys

from settling import FENGATE, SANDBOX, orders

text = pathlib.Path(os.environ["OUT"]).read_text()
python = text[text.index("from openai import OpenAI") : text.index("Then open the page")]
before = len(orders())
told = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, timeout=60)
assert told.returncode == 0 and "129.00" in told.stdout and re.search(r"http://\S+/pay/pay_[0-9a-f]{32}", told.stdout), told
curl = text[text.index("curl -s") : text.index("The same with Python")]
told = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60)
assert told.returncode == 0 and '"state":"awaiting_user"' in told.stdout, told
assert before < len(orders()) <= before + 2
readme = (pathlib.Path(__file__).parent.parent.parent / "README.md").read_text()
snippets = re.findall(r"```python\n(.*?)```", readme, re.S)
beside = pathlib.Path(os.environ["SANDBOX_DIR"]).parent


def paste(snippet: str) -> str:
    here = snippet.replace("http://127.0.0.1:8080", FENGATE).replace("http://127.0.0.1:8081", SANDBOX)
    told = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, timeout=60, cwd=beside)
    assert told.returncode == 0, told
    return told.stdout


assert len(snippets) == 2, len(snippets)
told = paste(snippets[0])
assert re.search(r"^awaiting_user http://\S+/pay/pay_[0-9a-f]{32}$", told, re.M), told
told = paste(snippets[1])
number = re.search(r"\"out_trade_no\":\"(SO-\d+)\"", told)
assert number and '"trade_state":"SUCCESS"' in told and '"status":"PROCESSING"' in told, told
assert re.search(rf"`{number.group(1)}`?,.*`29\.00", told), "the bill has the refund: " + told
