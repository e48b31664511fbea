#!/usr/bin/env python3
"""Write the golden files of the chat template engine with Python's jinja2.

    python3 make_golden.py                      cases.jsonl and chats.jsonl
    NLP_TEMPLATE_DIR=dir python3 make_golden.py --models   models.tsv

The environment is the one transformers builds for apply_chat_template (its
chat_template_utils.py): ImmutableSandboxedEnvironment, trim_blocks,
lstrip_blocks, loop controls, {% generation %}, tojson as json.dumps without
ASCII escapes, raise_exception and strftime_now. The date is fixed, and a filter
from_json is added, which some model files use. `--transformers` also renders
every case with transformers itself and stops at the first difference.

cases.jsonl    small templates, one subject each: {"t", "v", "out" or "error"};
               v is the text of a JSON object, or @variables for the first line's
chats.jsonl    templates/*.jinja (written for this test in the manner of model
               files) x conversations.json
models.tsv     the templates of model makers are not ours to copy: their file
               name and hash, the conversation, and the output's length and hash.
               template_test checks them when NLP_TEMPLATE_DIR names a folder
               with such files (models/templates of llama.cpp's source).

Made with jinja2 3.1.6, Python 3.11. Hash: FNV-1a, 64 bits.
"""
import datetime
import json
import os
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
NOW = datetime.datetime(2024, 7, 9, 15, 4, 5)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_same")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(lineno)

    def _same(self, caller):
        return caller()


class TemplateNamespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attrs = dict(*args, **kwargs)
        for name in attrs:
            TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__init__(self, attrs)

    def __setitem__(self, name, value):
        TemplateNamespace._check_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def _check_name(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError("underscore")


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.filters["from_json"] = json.loads
    env.globals["raise_exception"] = raise_exception
    env.globals["namespace"] = TemplateNamespace
    for name in ("lipsum", "cycler", "joiner"):
        del env.globals[name]
    return env


def globals_for(variables):
    """strftime_now is there when the variables name a date."""
    variables = dict(variables)
    if isinstance(variables.get("strftime_now"), str):
        moment = datetime.datetime.fromisoformat(variables["strftime_now"])
        variables["strftime_now"] = lambda fmt: moment.strftime(fmt)
    return variables


def render(env, source, variables):
    """(True, text) or (False, reason)."""
    try:
        return True, env.from_string(source).render(**globals_for(variables))
    except RecursionError:
        raise
    except Exception as e:  # every error of a template counts alike
        return False, f"{type(e).__name__}: {e}"


def check_transformers(source, variables, expected):
    from transformers.utils.chat_template_utils import _compile_jinja_template
    try:
        t = _compile_jinja_template(source)
        if "strftime_now" not in variables:
            t.globals = {k: v for k, v in t.globals.items() if k != "strftime_now"}
        got = True, t.render(**globals_for(variables))
    except Exception as e:
        got = False, f"{type(e).__name__}: {e}"
    if got != expected and not ("from_json" in source and not got[0]):
        if got[0] or expected[0]:
            sys.exit(f"transformers differs:\n{source}\n{got!r}\n{expected!r}")


def fnv(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def write_lines(name, records):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        for r in records:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")
    print(name, len(records), "cases,", sum("error" in r for r in records), "of them errors")


def golden(env, name, source, variables, check):
    ok, text = render(env, source, variables)
    if check:
        check_transformers(source, variables, (ok, text))
    record = {"name": name, "t": source, "v": json.dumps(variables, ensure_ascii=False)}
    if ok:
        record["out"] = text
    else:
        record["error"] = text.split(":")[0]
        if text.startswith("TemplateError: "):
            record["message"] = text[len("TemplateError: "):]
    return record


def main():
    env = environment()
    check = "--transformers" in sys.argv
    conversations = json.load(open(os.path.join(HERE, "conversations.json"), encoding="utf-8"))
    if "--models" in sys.argv:
        folder = os.environ["NLP_TEMPLATE_DIR"]
        n = 0
        with open(os.path.join(HERE, "models.tsv"), "w") as f:
            for name in sorted(os.listdir(folder)):
                if not name.endswith(".jinja"):
                    continue
                source = open(os.path.join(folder, name), newline="", encoding="utf-8").read()
                for c in conversations:
                    ok, text = render(env, source, c["vars"])
                    if check:
                        check_transformers(source, c["vars"], (ok, text))
                    data = text.encode("utf-8", "surrogatepass")
                    out = f"{len(data)}\t{fnv(data):016x}" if ok else "error\t-"
                    f.write(f"{name}\t{fnv(source.encode()):016x}\t{c['name']}\t{out}\n")
                    n += 1
        print("models.tsv", n, "cases")
        return
    from cases import CASES, V
    records = [{"name": "variables", "v": json.dumps(V, ensure_ascii=False)}]
    for i, (t, v) in enumerate(CASES):
        r = golden(env, f"case {i}", t, v, check)
        if " object at 0x" in r.get("out", "") or " at 0x" in r.get("out", ""):
            sys.exit(f"output of {t} is an address")
        if v is V:
            r["v"] = "@variables"
        records.append(r)
    write_lines("cases.jsonl", records)
    records = []
    folder = os.path.join(HERE, "templates")
    for name in sorted(os.listdir(folder)):
        source = open(os.path.join(folder, name), newline="", encoding="utf-8").read()
        for c in conversations:
            r = golden(env, f"{name} {c['name']}", source, c["vars"], check)
            r["t"] = "@" + name
            r["v"] = "@" + c["name"]
            records.append(r)
    write_lines("chats.jsonl", records)


if __name__ == "__main__":
    main()
