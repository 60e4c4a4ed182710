"""Flow files of the tests."""

import json


def shell(name, command, **more):
    return {"id": name, "type": "shell", "config": {"command": command}, **more}


def write(folder, name, *tasks, **more):
    """The path of a flow file; `name` is the flow's."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": name, "tasks": list(tasks), **more}), encoding="utf-8")
    return str(path)


WORDS_YAML = """\
# a comment
name: words
parameters:
  - {name: text, type: string, default: a b c}
tasks:
  - id: count
    type: python
    inputs: {text: {parameter: text}}
    config:
      code: |
        def main(text):
            print('counting')
            return {'words': len(text.split()), 'no': 'no'}
"""
