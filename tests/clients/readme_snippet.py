"""What fengate prints at its start, and what the README shows, is pasted as it is: snippets and the curl command must make a payment."""

import os
import pathlib
import re
import subprocess
import sys

from settling import FENGATE, orders

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
snippet = re.search(r"```python\n(.*?)```", readme, re.S).group(1).replace("http://127.0.0.1:8080", FENGATE)
told = subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, timeout=60)
assert told.returncode == 0 and re.search(r"^awaiting_user http://\S+/pay/pay_[0-9a-f]{32}$", told.stdout, re.M), told
