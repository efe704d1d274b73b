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


def usual_loop(create, **asked):
    """Reads as most programs do: each chunk's first choice, without asking for usage."""
    for action in ("open", "close"):
        control = {"session_id": "openai-python-loop", "action": action}
        session, reason = None, None
        for chunk in create(
            model=model,
            max_tokens=8,
            stream=True,
            extra_body={"nvext": {"session_control": control}},
            **asked,
        ):
            reason = chunk.choices[0].finish_reason
            session = (getattr(chunk, "nvext", None) or {}).get("session")
        assert reason in ("stop", "length"), reason
        assert action == "open" or session["existed"], session


usual_loop(client.chat.completions.create, messages=messages[:1])
usual_loop(client.completions.create, prompt="Once upon a time")

try:
    client.chat.completions.create(model=model, messages=[])
    sys.exit("a request without messages was served")
except BadRequestError as refused:
    assert refused.param == "messages", refused
