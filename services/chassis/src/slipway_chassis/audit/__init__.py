"""Whether anything was lost, doubled or misordered: aggregates = events = projections, as services declare them.

``declared`` (what is compared, read from a file), ``streams`` (what a topic's events say; pure), ``comparing`` (tables
against streams; pure), ``looking`` (Kafka and PostgreSQL are asked). A look at a running system meets what is on its
way: a finding counts when two looks in a row had it.
"""
