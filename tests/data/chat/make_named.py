#!/usr/bin/env python3
"""Writes named.jsonl: hone's own chat templates, rendered by the reference Jinja2.

Run with jinja2 installed; prints nothing. The environment is set up as transformers sets up its own
(immutable sandbox, trim_blocks, lstrip_blocks, loop controls, tojson without escapes). The first
line says which version of Jinja2 it was; each of the others is a case.
"""

import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.sandbox

HERE = pathlib.Path(__file__).parent
TEMPLATES = HERE.parents[2] / "src" / "tokenizer" / "templates"


def conversations():
    inputs = json.loads((HERE / "_inputs.json").read_text(encoding="utf-8"))
    call = inputs["conversations"]["tool"][1]["tool_calls"][0]
    more = {
        "reasoning": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "reasoning_content": "Greet back.", "content": "Hello!"},
            {"role": "user", "content": "Bye"},
            {"role": "assistant", "thinking": "Part.", "content": "See you."},
        ],
        "one_call": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": None, "tool_calls": [{**call, "id": "abc123def"}]},
            {"role": "tool", "tool_call_id": "abc123def", "content": "{\"sky\": \"☀\"}"},
            {"role": "assistant", "content": "Sunny."},
        ],
        "two_results": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [call, call]},
            {"role": "tool", "content": "1"},
            {"role": "tool", "content": "2"},
        ],
    }
    return inputs["conversations"] | more, inputs["TOOLS"]


def environment():
    def raise_exception(message):
        raise jinja2.TemplateError(message)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, \
        sort_keys=False: json.dumps(x, ensure_ascii=ensure_ascii, indent=indent,
                                    separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = raise_exception
    return env


def main():
    known, tools = conversations()
    env = environment()
    with open(HERE / "named.jsonl", "w", encoding="utf-8") as out:
        def write(value):
            out.write(json.dumps(value, ensure_ascii=False) + "\n")

        write({"jinja2": jinja2.__version__, "conversations": known, "tools": tools})
        for path in sorted(TEMPLATES.glob("*.jinja")):
            template = env.from_string(path.read_text(encoding="utf-8"))
            for name, messages in known.items():
                for with_tools in (False, True):
                    for prompt in (False, True):
                        case = {"template": path.stem, "conversation": name, "tools": with_tools,
                                "add_generation_prompt": prompt}
                        try:
                            case["text"] = template.render(
                                messages=messages, tools=tools if with_tools else None,
                                documents=None, add_generation_prompt=prompt, bos_token="<s>",
                                eos_token="</s>")
                        except Exception as error:  # noqa: BLE001: the kind is the result
                            case["error"] = type(error).__name__
                        write(case)


if __name__ == "__main__":
    main()
