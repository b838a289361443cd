"""Functions of an audit's records: summaries, tests, intervals, power, effects."""
