import json, pytest
from tests.contract.test_direct_batches import GROQ, DIRECT, ANTHROPIC, COHERE
P=[{"role":"user","content":"Hi"}]
def nest(n):
    v="x"
    for _ in range(n): v=[v]
    return v
def deep_text(n): return "["*n+"]"*n
def show(tag,a,n=250): print(tag,">>>",a.status_code,a.text[:n])
def test_probe(http, simulator):
    for n in (240,251,252,253,254,255):
        for m in ("gpt-4o-mini",ANTHROPIC,COHERE):
            body='{"model":"%s","messages":[[{"role":"user","content":"Hi"}]],"metadata":%s}'%(m,deep_text(n))
            a=http.post("/batch_completion",content=body,headers={"content-type":"application/json"}); show(f"many {n} {m}",a)
            a=http.post("/batch_completion",content=body,headers={"content-type":"application/json","prefer":"respond-async"}); show(f"async {n} {m}",a,80)
            body='{"model":"%s","messages":[{"role":"user","content":"Hi"}],"metadata":%s}'%(m,deep_text(n))
            a=http.post("/chat/completions",content=body,headers={"content-type":"application/json"}); show(f"chat {n} {m}",a)
            tools=[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]
            msgs=P+[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":'{"a":'+deep_text(n)+'}'}}]},{"role":"tool","tool_call_id":"1","content":"ok"}]
            a=http.post("/chat/completions",json={"model":m,"messages":msgs,"tools":tools}); show(f"tool {n} {m}",a)
            body={"model":m,"messages":P,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"a":{"enum":[nest(n-6)]}},"additionalProperties":False,"required":["a"]}}}}
            a=http.post("/chat/completions",json=body); show(f"schema {n} {m}",a)
