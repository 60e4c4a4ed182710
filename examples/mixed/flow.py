"""Three kinds of tasks in one flow: a shell command, a jq program and a Python function."""

from dagy import flow, shell, task, transform


@task
def describe(sizes, unit):
    return [f"{each['name']}: {each['size'] / unit:.1f}" for each in sizes]


@flow
def mixed(unit: int = 10):
    """A listing by a command, ordered by jq, written by Python."""
    listing = shell(r"""printf '%s\n' 'b 5' 'a 20' 'c 12' |
                        jq -cR 'split(" ") | {name: .[0], size: (.[1] | tonumber)}' | jq -cs .""",
                    id="listing")
    ordered = transform(".inputs.listing | sort_by(-.size)", inputs={"listing": listing},
                        id="ordered")
    return describe(ordered, unit)
