"""Pairs about the edges of meaning: ties, nulls, inclusive ends, zones, scales, units, orders."""

from __future__ import annotations

from tests.registry.pairs import C, Pair, V

EDGES = """owner "rail@acme.test"

unit eur
unit km

entity Rider { rider_id: int }
entity Line { origin: string  dest: string }
entity Net {}

## Rides.
source rides from csv("data/rides.csv") key ride_id time at known seen_at {
  ride_id:  int
  rider_id: Rider
  origin:   string
  dest:     string
  price:    decimal(10, 2) [eur]
  length:   float [km]
  score:    float?
  kind:     enum("day", "night")?
  stops:    list[int]
  left_at:  timestamp in "Europe/Paris"
  refund:   bool known refund_at
  refund_at: timestamp?
  at:       timestamp
  seen_at:  timestamp

  expect length >= 0.0
}

## Plans of trains, known ahead.
source plans from csv("data/plans.csv") key plan_id time at known told_at ahead {
  plan_id: int
  origin:  string
  dest:    string
  at:      timestamp
  told_at: timestamp
}

## Fares by class.
table fares from csv("data/fares.csv") key class time at max_age 3d {
  class:  string
  amount: float
  extra:  int?
  at:     timestamp
}

## Rides that left at night.
stream nights from rides where hour(left_at, "Europe/Paris") >= 22 {
  fare:   float? = fares["night"].amount
  longer: float [km] = length * 2.0
}

## Refunds, when they are known.
stream refunds from rides time refund_at where refund_at is not null

features for Rider from rides {
  ## Null where empty.
  mean_score: float? = mean(score) over 7d
  ## Zero where empty.
  sum_price: decimal(38, 2) [eur] = sum(price) over 7d
  ## The latest row's.
  row_score: float? = last_row(score) over all
  ## Two back.
  second: float? = nth_last(score, 2) over 30d
  ## Where it was best.
  best: string? = argmax(dest, price) over 30d
  ## Most frequent.
  often: string? = mode(dest) over 30d
  ## The five most frequent.
  top: list[string] = top_k(dest, 5) over 30d
  ## First three.
  early: list[float] = first_k(score, 3) over 30d
  ## By kind.
  kinds: map[enum("day", "night"), float] = mean(score) by kind over 30d
  ## Of all stops.
  all_stops: int = sum(each stops) over 7d
  ## In a session.
  run: int = count() over session gap 20m
  ## Since midnight.
  today: int = count() over since day("Europe/Paris")
  ## Of the last four.
  four: float? = max(score) over last 4 within 7d
  ## Decayed.
  faded: float? [km] = decayed_sum(length, 2d) over 7d
  ## Hourly.
  hourly: int = count() over 1d every 1h
  ## About how many.
  about: int = approx_count_distinct(dest) over 30d
  ## Since a night.
  since_night: int = count() over since last (kind == "night")
  ## Any long one.
  any_long: bool = any(length > 5.0) over 7d
}

features for Rider from nights {
  ## Fares.
  fares_7d: float? = mean(fare) over 7d
  ## Longest.
  longest: float? [km] = max(longer) over 7d
}

features for Rider from refunds {
  ## Refunds.
  refunds_7d: int = count(where refund) over 7d
}

features for Line from rides {
  ## Rides.
  rides_7d: int = count() over 7d
}

features for Line from plans {
  ## Trains to come.
  next_trains: int = count() over next 2h
}

features for Net from rides {
  ## Rides.
  total: int = count() over 1d
}

features for Rider {
  ## The share.
  share: float? = mean_score / (four ?? 1.0)
  ## Whether.
  known: bool = mean_score is not null
  ## Of the fare.
  fare_now: float? = fares["day"].amount within 1d
  ## Text.
  word: string = if known and since_night > 2 then "a" else "b"
  ## Rounded.
  rounded: float? = round(mean_score ?? 0.0, 2)
  ## Of the network.
  of_net: float? = float(run) / float(Net[].total)
}
"""

OF_RIDES = (
    "mean_score",
    "sum_price",
    "row_score",
    "second",
    "best",
    "often",
    "top",
    "early",
    "kinds",
    "all_stops",
    "run",
    "today",
    "four",
    "faded",
    "hourly",
    "about",
    "since_night",
    "any_long",
    "fares_7d",
    "longest",
    "refunds_7d",
    "rides_7d",
    "total",
    "share",
    "known",
    "word",
    "rounded",
    "of_net",
)
"""Every feature that reads a ride, however indirectly."""


def edge(name: str, changed: str | dict[str, str], *edits: tuple[str, str]) -> Pair:
    told = dict.fromkeys(changed.split(), V) if isinstance(changed, str) else changed
    return Pair(name, edits, told, adversarial=True, base=EDGES)


OF_MEAN = "mean_score share known word rounded"

EDGE_PAIRS = (
    # --- nulls
    edge("nulls counted as zero", OF_MEAN, ("float? = mean(score)", "float? = mean(score ?? 0.0)")),
    edge("null for null", "known word", ("mean_score is not null", "mean_score is null")),
    edge(
        "a default of another sign",
        "share",
        ("four ?? 1.0", "four ?? -1.0"),
    ),
    edge("values for rows", "row_score", ("last_row(score)", "last(score)")),
    edge(
        "null taken as another kind",
        "since_night word",
        ('(kind == "night")', '(not (kind == "day"))'),
    ),
    edge(
        "a condition that null fails",
        OF_MEAN,
        ("float? = mean(score)", "float? = mean(score where score > 0.0)"),
    ),
    edge(
        "a column under another name in the file",
        OF_MEAN + " row_score second early kinds four",
        ("score:    float?", 'score:    float? from "stars"'),
    ),
    # --- ties
    edge("the least for the greatest", "best", ("argmax(dest, price)", "argmin(dest, price)")),
    edge("the latest for the most frequent", "often", ("mode(dest)", "last(dest)")),
    edge("how many of the most frequent", "top", ("top_k(dest, 5)", "top_k(dest, 4)")),
    edge("the first for the latest", "early", ("first_k(score, 3)", "collect(score, 3)")),
    edge("one more back", "second", ("nth_last(score, 2)", "nth_last(score, 3)")),
    edge(
        "rows back for values back",
        "second",
        ("nth_last(score, 2)", "nth_last_row(score, 2)"),
    ),
    edge(
        "the columns that break ties of a table",
        "fares_7d fare_now",
        ("  extra:  int?\n", "  extra:  string?\n"),
    ),
    edge(
        "the order of the columns that break ties",
        "fares_7d fare_now",
        ("  amount: float\n  extra:  int?\n", "  extra:  int?\n  amount: float\n"),
    ),
    edge(
        "what breaks ties of equal times",
        dict.fromkeys(OF_RIDES, V),
        ("key ride_id time", "key ride_id, rider_id time"),
    ),
    # --- ends
    edge(
        "now for before", "total of_net", ("count() over 1d\n}", "count() over 1d including now\n}")
    ),
    edge(
        "both ends closed", "any_long", ("(length > 5.0) over 7d", "(length > 5.0) over [7d, 0s]")
    ),
    edge(
        "the same ends spelled out", {}, ("(length > 5.0) over 7d", "(length > 5.0) over [7d, 0s)")
    ),
    edge("at least for more", "any_long", ("length > 5.0", "length >= 5.0")),
    edge("the same, turned round", {}, ("length > 5.0", "5.0 < length")),
    edge(
        "not at most, which null tells apart",
        "any_long",
        ("any(length > 5.0)", "any(not (length <= 5.0))"),
    ),
    edge("rows within a longer time", "four share", ("last 4 within 7d", "last 4 within 8d")),
    edge("rows without a time", "four share", ("last 4 within 7d", "last 4")),
    edge("a step of the window", "hourly", ("1d every 1h", "1d every 30m")),
    edge("the same step in minutes", {}, ("1d every 1h", "1d every 60m")),
    edge("a window without its step", "hourly", ("over 1d every 1h", "over 1d")),
    edge("a gap", "run of_net", ("gap 20m", "gap 21m")),
    edge("the same gap in seconds", {}, ("gap 20m", "gap 1200s")),
    edge("how far plans are seen", "next_trains", ("over next 2h", "over next 3h")),
    edge("the same window ahead, spelled out", {}, ("over next 2h", "over (0s, -2h]")),
    edge("plans at this moment too", "next_trains", ("over next 2h", "over [0s, -2h]")),
    # --- zones
    edge("the zone of a calendar day", "today", ('day("Europe/Paris")', 'day("UTC")')),
    edge(
        "the same rules under another name",
        "today",
        ('day("Europe/Paris")', 'day("Europe/Brussels")'),
    ),
    edge("a week for a day", "today", ('since day("', 'since week("')),
    edge("the zone of local times", "fares_7d longest", ('in "Europe/Paris"', 'in "UTC"')),
    edge(
        "the zone of an hour",
        "fares_7d longest",
        ('hour(left_at, "Europe/Paris")', 'hour(left_at, "UTC")'),
    ),
    # --- scales and units
    edge(
        "the scale of a column",
        "sum_price best",
        ("price:    decimal(10, 2)", "price:    decimal(10, 1)"),
        ("sum_price: decimal(38, 2)", "sum_price: decimal(38, 1)"),
    ),
    edge(
        "the digits of a column",
        "sum_price best",
        ("price:    decimal(10, 2)", "price:    decimal(11, 2)"),
    ),
    edge("the digits of a rounding", "rounded", ("?? 0.0, 2)", "?? 0.0, 3)")),
    edge("the half-life", "faded", ("decayed_sum(length, 2d)", "decayed_sum(length, 3d)")),
    edge(
        "the same half-life in hours", {}, ("decayed_sum(length, 2d)", "decayed_sum(length, 48h)")
    ),
    edge(
        "a name of a unit",
        "faded any_long longest",
        ("unit km", "unit mile"),
        ("[km]", "[mile]"),
    ),
    # --- maps, lists
    edge(
        "another key of a map, with its type",
        "kinds",
        (
            'kinds: map[enum("day", "night"), float] = mean(score) by kind',
            "kinds: map[string, float] = mean(score) by dest",
        ),
    ),
    edge("what a map holds", "kinds", ("= mean(score) by kind", "= max(score) by kind")),
    edge("elements counted for summed", "all_stops", ("sum(each stops)", "count(each stops)")),
    edge("distinct elements", "all_stops", ("sum(each stops)", "count_distinct(each stops)")),
    edge("exact for about", "about", ("approx_count_distinct(dest)", "count_distinct(dest)")),
    # --- keys
    edge(
        "the parts of a key in another order",
        "rides_7d next_trains",
        (
            "entity Line { origin: string  dest: string }",
            "entity Line { dest: string  origin: string }",
        ),
    ),
    edge(
        "a row of another line",
        "rides_7d",
        ("features for Line from rides {", "features for Line from rides by dest, origin {"),
    ),
    edge(
        "the parts of a key spelled out",
        {},
        ("features for Line from rides {", "features for Line from rides by origin, dest {"),
    ),
    # --- times
    edge("what is known ahead no more", "next_trains", ("over next 2h", "over 2h")),
    edge(
        "a condition of a stream with a time of its own",
        "refunds_7d",
        ("where refund_at is not null", "where refund_at is not null and ride_id > 0"),
    ),
    edge("an age of a lookup", "fare_now", ("within 1d", "within 2d")),
    edge("an age that the table has", "fare_now", (" within 1d", "")),
    edge("an age that a lookup overrides", "fares_7d", ("max_age 3d", "max_age 4d")),
    edge(
        "a delay for a column",
        dict.fromkeys(OF_RIDES, V),
        ("time at known seen_at {", "time at delay 1m {"),
    ),
    # --- forms
    edge("a double negation", {}, ("known and since_night > 2", "since_night > 2 and known")),
    edge(
        "branches swapped with their condition",
        "word",
        (
            'if known and since_night > 2 then "a" else "b"',
            'if not (known and since_night > 2) then "b" else "a"',
        ),
    ),
    edge("a contract taken away", {}, ("  expect length >= 0.0\n", "")),
    edge("a unit that nothing has", {}, ("unit km\n", "unit km\nunit hour\n")),
    edge("a tag of an entity's key", {}, ("entity Net {}", "# the whole network\nentity Net {}")),
    edge(
        "the owner of all",
        dict.fromkeys([*OF_RIDES, "fare_now", "next_trains"], C),
        ("rail@acme.test", "trains@acme.test"),
    ),
)
