"""Renders the template goldens with Python's jinja2, set up as transformers sets it up.

    pip install jinja2==3.1.6
    python scripts/goldens/template_goldens.py

Reads template_constructs.txt (one template per line) and template_models/*.jinja (templates in the
manner of model families, rendered with the conversations below) and writes the JSON that
ChatTemplateGoldenTest compares with, byte for byte. A case that raises has "error": true instead of
a text; what the error says is not compared, except for raise_exception.
"""

import json
from datetime import datetime
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = Path(__file__).parent
OUT = HERE.parent.parent / "text/src/test/resources/dev/sojourn/text/template"
NOW = datetime(2026, 3, 7, 15, 4, 5)


class Refusal(jinja2.exceptions.TemplateError):
    """What raise_exception raises, apart from every other error."""


class Generation(Extension):
    """The tag that marks what the model wrote; it renders its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("render"), [], [], body).set_lineno(line)

    def render(self, caller):
        return caller()


def refuse(message):
    raise Refusal(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(source, variables):
    try:
        return {"text": environment().from_string(source).render(**variables)}
    except Refusal as e:
        return {"error": True, "refusal": str(e)}
    except Exception:
        return {"error": True}


VARIABLES = {
    "s": "Hello, World",
    "empty": "",
    "blank": "  two words \n",
    "uni": "naïve 😀 日本 ß",
    "n": 42,
    "neg": -7,
    "big": 123456789012345678901234567890,
    "x": 2.5,
    "yes": True,
    "no": False,
    "nil": None,
    "list": [3, 1, 2],
    "words": ["beta", "Alpha", "gamma", "alpha"],
    "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}],
    "d": {"b": 1, "a": {"c": [10, 20]}, "items": "shadow", "Z": None},
    "users": [
        {"name": "ann", "age": 31, "role": {"id": 2}},
        {"name": "Bob", "age": 25, "role": {"id": 1}},
        {"name": "cid", "age": 31, "role": {"id": 2}, "admin": True},
    ],
    "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}],
    "html": "<a href='x'>\"&\"</a>",
    "esc": "q\"u'o\\te\n\t\u0001\u007f\u00a0é😀\u2028",
}


def constructs():
    cases = []
    for line in (HERE / "template_constructs.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("## "):
            # Line breaks and tabs are spelled, so that a construct is a line.
            source = line.replace("⏎", "\n").replace("␍", "\r").replace("⇥", "\t")
            cases.append({"source": source, **render(source, VARIABLES)})
    return {"variables": VARIABLES, "cases": cases}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name, e.g. \"Zürich\""},
                "days": {"type": "integer", "minimum": 1, "default": 1},
                "units": {"type": "string", "enum": ["C", "F"]},
            },
            "required": ["city"],
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Finds documents <b>fast</b> & well.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


def call(name, arguments, id="call_1"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(text, name="get_weather", id="call_1"):
    return {"role": "tool", "tool_call_id": id, "name": name, "content": text}


TOOL_TALK = [
    user("What is the weather in Zürich?"),
    assistant(None, tool_calls=[call("get_weather", {"city": "Zürich", "days": 2})]),
    tool('{"sky": "cloudy", "high": 21.5}'),
    assistant("Cloudy, at most 21.5 °C."),
    user("Thanks! And in Bern?"),
]

CONVERSATIONS = {
    "one": {"messages": [user("Hi there")]},
    "system": {"messages": [system("Be brief."), user("  Hi\n")]},
    "turns": {
        "messages": [
            system("You are Sojourn.\nStay calm."),
            user("First"),
            assistant(" Second "),
            user("Third"),
            assistant("Fourth\n"),
            user("Fifth"),
        ]
    },
    "unicode": {"messages": [user("naïve 😀 日本\u200b <|im_end|> {{ s }}"), assistant("ß→ß"), user("‘ok’")]},
    "answered": {"messages": [user("a"), assistant("b")], "add_generation_prompt": False},
    "reasoning": {
        "messages": [
            user("1+1?"),
            assistant("<think>\nEasy.\n</think>\n\n2"),
            user("2+2?"),
            assistant("4", reasoning_content="Doubling."),
            user("And 3+3?"),
        ]
    },
    "thinking-off": {"messages": [user("1+1?")], "enable_thinking": False},
    "tools": {"messages": TOOL_TALK, "tools": [WEATHER, SEARCH]},
    "tools-system": {"messages": [system("Use tools.")] + TOOL_TALK[:3], "tools": [WEATHER]},
    "tool-string-arguments": {
        "messages": [
            user("w?"),
            assistant("", tool_calls=[call("get_weather", '{"city": "Bern"}')]),
            tool("fine"),
        ],
        "tools": [WEATHER],
    },
    "two-tools": {
        "messages": [
            user("both"),
            assistant(
                "On it.",
                tool_calls=[
                    call("get_weather", {"city": "Bern"}, "call_a"),
                    call("search", {}, "call_b"),
                ],
            ),
            tool("sunny", "get_weather", "call_a"),
            tool("nothing", "search", "call_b"),
        ],
        "tools": [WEATHER, SEARCH],
    },
    "parts": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}
        ]
    },
    "documents": {
        "messages": [user("cite")],
        "documents": [{"title": "A", "text": "alpha"}, {"title": "B", "text": "beta"}],
    },
    "wrong-order": {"messages": [user("a"), user("b")]},
    "assistant-first": {"messages": [assistant("a"), user("b")]},
    "unknown-role": {"messages": [{"role": "critic", "content": "a"}]},
    "empty": {"messages": []},
    "late-system": {"messages": [user("a"), assistant("b"), system("c"), user("d")]},
    "dated": {"messages": [user("when?")], "date_string": "01 Jan 2025"},
}


def models():
    defaults = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "add_generation_prompt": True,
        "tools": None,
        "documents": None,
    }
    templates = {}
    cases = []
    for path in sorted((HERE / "template_models").glob("*.jinja")):
        with open(path, encoding="utf-8", newline="") as file:
            source = file.read()
        templates[path.stem] = source
        for name, conversation in CONVERSATIONS.items():
            cases.append(
                {
                    "template": path.stem,
                    "conversation": name,
                    **render(source, {**defaults, **conversation}),
                }
            )
    conversations = {name: {**defaults, **c} for name, c in CONVERSATIONS.items()}
    return {"templates": templates, "conversations": conversations, "cases": cases}


def write(name, goldens):
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(goldens, ensure_ascii=True, indent=1)
    (OUT / name).write_text(text + "\n", encoding="utf-8")
    errors = sum("error" in case for case in goldens["cases"])
    print(f"{name}: {len(goldens['cases'])} cases, {errors} of them errors")


if __name__ == "__main__":
    write("construct_goldens.json", constructs())
    write("model_goldens.json", models())
