"""Two loops of a tool with the official OpenAI SDK, unmodified: one whole, one streamed.

Takes the gateway's address. The model there is told what to say by the Java test that starts this.
"""

import json
import sys

from openai import OpenAI

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "strict": True,  # the SDK streams no other tools
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none")
model = client.models.list().data[0].id


def ask(messages, action):
    return client.chat.completions.create(
        model=model,
        messages=messages,
        max_tokens=200,
        tools=[TOOL],
        extra_body={
            "nvext": {"session_control": {"session_id": "python-tools", "action": action}}
        },
    )


def stream(messages):
    with client.chat.completions.stream(
        model=model,
        messages=messages,
        max_tokens=200,
        tools=[TOOL],
        stream_options={"include_usage": True},
        extra_body={
            "nvext": {"session_control": {"session_id": "python-tools", "action": "open"}}
        },
    ) as events:
        for _ in events:
            pass
        return events.get_final_completion()


for streamed in (False, True):
    messages = [{"role": "user", "content": "How is it in Bern?"}]
    first = stream(messages) if streamed else ask(messages, "open")
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls", choice
    call = choice.message.tool_calls[0]
    assert call.function.name == "weather", call
    assert json.loads(call.function.arguments) == {"city": "Bern"}, call
    messages += [
        choice.message.model_dump(exclude={"parsed"}),
        {"role": "tool", "tool_call_id": call.id, "content": "sun"},
    ]
    second = ask(messages, "close")
    assert second.choices[0].message.content == "Sunny.", second
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert cached == first.usage.total_tokens - 1, (first.usage, second.usage)
