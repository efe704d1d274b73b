"""A streamed session of thirty turns with the official OpenAI SDK, unmodified.

Takes the gateway's address; prints for each turn, as a line of JSON, the tokens of its prompt and
answer and how many were reused. The Java test that starts it checks the numbers.
"""

import json
import sys

from openai import BadRequestError, OpenAI

TURNS = 30

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
model = client.models.list().data[0].id
messages = []
for turn in range(1, TURNS + 1):
    messages.append({"role": "user", "content": f"Turn {turn}: what do you see?"})
    control = {"session_id": "openai-python"}
    if turn == 1:
        control |= {"action": "open", "timeout": 60}
    elif turn == TURNS:
        control |= {"action": "close"}
    stream = client.chat.completions.create(
        model=model,
        messages=messages,
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"nvext": {"session_control": control}},
    )
    text, usage, session = "", None, None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
        usage = chunk.usage or usage
        session = (getattr(chunk, "nvext", None) or {}).get("session", session)
    messages.append({"role": "assistant", "content": text})
    print(
        json.dumps(
            {
                "prompt": usage.prompt_tokens,
                "completion": usage.completion_tokens,
                "cached": usage.prompt_tokens_details.cached_tokens,
                "session": session,
            }
        ),
        flush=True,
    )

try:
    client.chat.completions.create(model=model, messages=[])
    sys.exit("a request without messages was served")
except BadRequestError as refused:
    assert refused.param == "messages", refused
