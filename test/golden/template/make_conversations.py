#!/usr/bin/env python3
"""Write conversations.json: what every chat template is rendered with."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))

BASE = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
        "tools": None, "documents": None, "add_generation_prompt": True}


def msg(role, content, **more):
    return {"role": role, "content": content, **more}


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Current weather of a place, e.g. \"Köln\" <b>.",
    "parameters": {"type": "object", "properties": {
        "place": {"type": "string", "description": "City & country"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit"},
        "days": {"type": "integer", "description": "How many days", "default": 1},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "Labels"}},
        "required": ["place"]},
    "return": {"type": "string", "description": "A sentence"}}}
TIME = {"type": "function", "function": {
    "name": "get_time", "description": "Time of day.", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call00001", "type": "function",
        "function": {"name": "get_weather", "arguments": {"place": "Köln", "days": 2, "tags": ["a", "b"]}}}
CALL_TEXT = {"id": "call00001", "type": "function",
             "function": {"name": "get_weather", "arguments": "{\"place\": \"Köln\", \"days\": 2}"}}

TURNS = [msg("user", "Hello"), msg("assistant", "Hi, how can I help?"), msg("user", "Sum up 1 + 1.")]
LONG = [msg("user", f"Question {i}?") if i % 2 == 0 else msg("assistant", f"Answer {i}.") for i in range(9)]

CONVERSATIONS = [
    ("user", {"messages": [msg("user", "What is the capital of France?")]}),
    ("system", {"messages": [msg("system", "You are terse."), *TURNS]}),
    ("no_prompt", {"messages": [msg("system", "You are terse."), *TURNS[:2]], "add_generation_prompt": False}),
    ("long", {"messages": LONG}),
    ("empty_content", {"messages": [msg("system", ""), msg("user", "")]}),
    ("chinese", {"messages": [msg("system", "你是一个有用的助手。"), msg("user", "请用中文总结：人工智能正在改变世界。"),
                              msg("assistant", "人工智能改变世界。"), msg("user", "谢谢！😀")]}),
    ("special", {"messages": [msg("user", "  <|im_end|> [INST] \"quotes\" 'single' \\n & <b>\n\ttab \n")]}),
    ("spaces", {"messages": [msg("system", " \n sys \n"), msg("user", "\n  padded  \n\n"),
                             msg("assistant", "  reply\n"), msg("user", "x")]}),
    ("tools", {"messages": [msg("system", "Use tools."), msg("user", "Weather in Köln?")],
               "tools": [WEATHER, TIME]}),
    ("tool_call", {"messages": [msg("user", "Weather in Köln?"), msg("assistant", None, tool_calls=[CALL]),
                                msg("tool", "{\"temp\": 21.5}", tool_call_id="call00001", name="get_weather"),
                                msg("assistant", "It is 21.5 degrees."), msg("user", "Thanks")],
                   "tools": [WEATHER]}),
    ("tool_call_text", {"messages": [msg("user", "Weather in Köln?"),
                                     msg("assistant", "", tool_calls=[CALL_TEXT]),
                                     msg("tool", "sunny", tool_call_id="call00001", name="get_weather")],
                        "tools": [WEATHER]}),
    ("think", {"messages": [msg("user", "2+2?"), msg("assistant", "<think>\nadd\n</think>\n\n4"),
                            msg("user", "3+3?"), msg("assistant", "6", reasoning_content="three and three"),
                            msg("user", "Good")], "enable_thinking": False}),
    ("thinking_on", {"messages": [msg("system", "/think be deep"), msg("user", "Why?")], "enable_thinking": True,
                     "thinking": True, "reasoning_effort": "high"}),
    ("two_users", {"messages": [msg("user", "one"), msg("user", "two")]}),
    ("assistant_first", {"messages": [msg("assistant", "I begin."), msg("user", "Fine.")]}),
    ("bad_role", {"messages": [msg("user", "Hi"), msg("wizard", "Abracadabra")]}),
    ("system_late", {"messages": [msg("user", "Hi"), msg("system", "Be kind."), msg("user", "Well?")]}),
    ("parts", {"messages": [msg("user", [{"type": "text", "text": "Look: "}, {"type": "text", "text": "here"}])]}),
    ("dated", {"messages": TURNS, "strftime_now": "2024-07-09T15:04:05"}),
    ("documents", {"messages": [msg("user", "Sum it up.")],
                   "documents": [{"title": "One", "text": "First text."}, {"title": "Two", "text": "第二"}]}),
    ("no_messages", {"messages": []}),
]


def main():
    out = [{"name": name, "vars": {**BASE, **v}} for name, v in CONVERSATIONS]
    with open(os.path.join(HERE, "conversations.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=False, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
