"""How soon each network reaches a quality, as the page of benchmarks prints it."""

from functools import partial

from cells import number, spread, table
from claims import plain

OURS = ("quilt", "sirenlib.fit")
FOLD = "Each quality, with the spread over the seeds, and as multiples of our times"
NAMES = {
    "network": lambda row: row["name"],
    "parameters": lambda row: f"{row['parameters']:,}",
}


def qualities(record: dict) -> str:
    """What was done how often; the times, and folded the rest of them; the sources."""
    seeds = record["seeds"]
    often = f"the medians of {seeds} seeds" if seeds > 1 else "of one fit each"
    text = f"\nTimes are {record['clock']}, {often}.\n{_disturbed(record['disturbed'])}"
    text += _most_parameters(record["contenders"])
    rest = ""
    for picture in record["fitted"]:
        name = f", {picture}" if len(record["fitted"]) > 1 else ""
        rows = _by_quality(record["rows"], picture)
        text += f"\nSeconds{name}:\n" + _times(rows)
        for quality, each in rows.items():
            rest += f"\n{quality} dB{name}:\n" + _quotients(each)
    text += f"\n<details>\n<summary>{FOLD}</summary>\n{rest}\n</details>\n"
    return text + _sources(record)


def _by_quality(rows: list[dict], picture: str) -> dict[int, list[dict]]:
    groups = {}
    for row in rows:
        if row["picture"] == picture:
            groups.setdefault(row["quality"], []).append(row)
    return groups


def _times(rows: dict[int, list[dict]]) -> str:
    """A row for each network, a column for each quality."""
    columns = NAMES | {
        f"{quality} dB": partial(_reached, each={one["name"]: one for one in each})
        for quality, each in rows.items()
    }
    return table(next(iter(rows.values())), columns)


def _reached(row: dict, each: dict[str, dict]) -> str:
    return _bounded(each[row["name"]])


def _quotients(rows: list[dict]) -> str:
    """A row for each network: its time to a quality, and that over ours."""
    ours = {row["name"]: row for row in rows}
    columns = NAMES | {"seconds": _time}
    columns |= {f"over {name}": partial(_over, one=ours[name]) for name in OURS}
    return table(rows, columns)


def _bounded(row: dict) -> str:
    return f"{row['bound']} {number(row['seconds'], 2)}".strip()


def _time(row: dict) -> str:
    """The seconds, their spread over the seeds, and how many seeds missed."""
    if row["bound"]:
        return _bounded(row)
    each = [time for time in row["each"] if time is not None]
    text = spread(row["seconds"], each, _digits(each))
    missed = len(row["each"]) - len(each)
    return text + (f"; {missed} of {len(row['each'])} not reached" if missed else "")


def _digits(times: list[float]) -> int:
    """Three are true where the seeds differ by less than a tenth."""
    return 3 if len(times) > 1 and max(times) < 1.1 * min(times) else 2


def _over(row: dict, one: dict) -> str:
    """The quotient; a bound of either time makes it one."""
    side = {"at most": -1, "": 0, "more than": 1}
    sign = side[row["bound"]] - side[one["bound"]] if row is not one else 0
    text = number(row["over"][one["name"]], 2)
    return text if not sign else f"{'>' if sign > 0 else '<'} {text}"


def _disturbed(found: dict) -> str:
    low, middle, high = found["reference seconds"]
    return (
        f"Of {found['works']:,} fits and steps the machine disturbed some: there were "
        f"{found['repeated']:,} repetitions, and {found['still disturbed']} stayed "
        f"disturbed. A fixed piece of work, timed beside each, took "
        f"{number(middle, 2)} seconds ({number(low, 2)} to {number(high, 2)}).\n"
    )


def _most_parameters(contenders: list[dict]) -> str:
    """Who has far more numbers than the single network, if anyone has."""
    counts = {one["name"]: one["parameters"] for one in contenders}
    ours = counts["sirenlib.fit"]
    many = {n: count / ours for n, count in counts.items() if count > 1.5 * ours}
    told = [f"{name} has {number(times, 2)} times" for name, times in many.items()]
    return (
        f"Of parameters {_list(told)} as many as the single network.\n" if told else ""
    )


def _sources(record: dict) -> str:
    """Paper and code of each network."""
    links = {}
    for one in record["contenders"] + record["references"]:
        kinds = [f"[{kind}]({one[kind]})" for kind in ("paper", "code") if one[kind]]
        if kinds:
            links[one["name"]] = f"{plain(one['name'])} ({', '.join(kinds)})"
    return f"\nSources: {'; '.join(links.values())}.\n" if links else ""


def opening(record: dict, name: str) -> str:
    """The picture that opens the page, and the sentence that says what it shows."""
    return f"\n{image(record, name)}\n{plain(_sentence(record))}\n"


def image(record: dict, name: str) -> str:
    """The picture of a record, in a file of that name."""
    names = dict.fromkeys(
        one["name"] for one in record["contenders"] + record["references"]
    )
    alt = (
        f"PSNR in decibels against {record['clock']}, on a logarithmic axis, for "
        f"{_list(list(names))}. {_sentence(record)}"
    )
    return f"```{{image}} {name}\n:alt: {alt}\n```\n"


def _sentence(record: dict) -> str:
    """Who reaches the highest quality that anyone reaches, and when."""
    reached = [row for row in record["rows"] if row["bound"] != "more than"]
    best = max((row["quality"] for row in reached), default=None)
    parts = []
    for picture in record["fitted"]:
        rows = [r for r in reached if (r["picture"], r["quality"]) == (picture, best)]
        rows.sort(key=lambda row: row["seconds"])
        times = [f"{number(row['seconds'], 2)} with {_named(row)}" for row in rows]
        if times:
            told = f"In {record['clock']} the {picture} reaches {best} dB after "
            parts.append(f"{told}{_list(times)}.")
    return " ".join(parts)


def _named(row: dict) -> str:
    """A name that can stand in a list: "copied recipe (as copied)"."""
    name, comma, way = row["name"].partition(", ")
    return f"{name} ({way})" if comma else name


def _list(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
