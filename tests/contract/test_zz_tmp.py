import os, queue, subprocess, sys, threading
import pytest
from nightmail import wiring
from tests.contract.conftest import *
from tests.contract.conftest import _sockets, _bucket_on_a_socket, _moto
from tests.conftest import *
def test_run(gateway, life, server):
    created = queue.Queue()
    # dry runs wait inside of the function: plan there
    def pause(_s):
        for b in wiring.batches().list("admin"):
            if b.dry_run and not b.status.is_final: life.run("admin", b.id)
    wiring.pause = pause
    gateway.on_batch = lambda *b: created.put(b)
    def run():
        while batch := created.get():
            if not wiring.batches().get(*batch).status.is_final: life.run(*batch)
    t = threading.Thread(target=run, daemon=True); t.start()
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env |= {"OPENAI_BASE_URL": server.url + "/v1", "OPENAI_API_KEY": MASTER_KEY}
    done = subprocess.run([sys.executable, "examples/mixed_batch.py"], env=env, capture_output=True, text=True, timeout=60)
    created.put(None); t.join()
    print(done.stdout, done.stderr)
    assert done.returncode == 0
