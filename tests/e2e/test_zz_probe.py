from concurrent.futures import ThreadPoolExecutor
import time, json, httpx
from tests.e2e.driver import open_desk
def test_probe(cloud):
    with open_desk(cloud) as desk:
        desk.simulator.behave(desk.fault("hold", "POST", "/chat/completions", name=desk.tenant.owner))
        P=[{"role":"user","content":"x"}]; m=desk.tenant.model
        def go(route, body):
            t=time.time()
            a=httpx.post(f"{desk.cloud.base_url}{route}",json=body,headers={"authorization":f"Bearer {desk.tenant.key}"},timeout=60,trust_env=False)
            return route, body.get("stream"), a.status_code, round(time.time()-t,1), {k:v for k,v in a.headers.items() if k.startswith("x-") or k=="location"}, a.text[:600]
        jobs=[("/chat/completions",{"model":m,"messages":P}),("/chat/completions",{"model":m,"messages":P,"stream":True}),("/chat/completions",{"model":m+", gpt-4o","messages":P}),
              ("/batch_completion_models",{"models":[m,m],"messages":P}),("/batch_completion_models_all_responses",{"models":[m,"gpt-4o"],"messages":P,"stream":True}),
              ("/batch_completion_models_all_responses",{"models":[m,"gpt-4o"],"messages":P}),
              ("/batch_completion",{"model":m,"messages":[P,[{"role":"user","content":"y"}]]}),("/batch_completion",{"model":m,"messages":[P],"stream":True})]
        with ThreadPoolExecutor(8) as pool:
            for r in pool.map(lambda j: go(*j), jobs): print(*r, sep="\n   ")
